"""Which transport a restic location asks for, and how the location is shown without its password."""

import os
import re

from vigie.sources.restic.bridge import BridgedTransport
from vigie.sources.restic.remote import remote
from vigie.sources.restic.rest import RestTransport
from vigie.sources.restic.transport import LocalTransport, Transport


def shown(location: str) -> str:
    """The location as it may appear in reports."""
    return re.sub(r"://[^/]*@", "://***@", location)


def connect(location: str) -> Transport:
    """The transport to a location written as for `restic -r`.

    `rest:` takes user and password from the URL, or from RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD.

    Raises:
        NoSuchTarget: it cannot be understood, or does not answer.
        MissingProgram: it takes rclone, which is not installed.
    """
    if location.startswith("rest:"):
        environment = os.environ
        user = environment.get("RESTIC_REST_USERNAME", "")
        return RestTransport(
            location.removeprefix("rest:"), user, environment.get("RESTIC_REST_PASSWORD", "")
        )
    if not location.startswith("local:") and (place := remote(location, os.environ)):
        return BridgedTransport(place, os.environ, shown(location))
    return LocalTransport(location.removeprefix("local:"))
