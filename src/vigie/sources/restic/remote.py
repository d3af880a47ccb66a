"""What a restic location means to rclone: its name for the place, and the credentials as environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vigie.errors import NoSuchTarget

_SSH_MEANS = (
    "SSH_AUTH_SOCK",
    "RCLONE_SFTP_KEY_FILE",
    "RCLONE_SFTP_KEY_PEM",
    "RCLONE_SFTP_PASS",
    "RCLONE_SFTP_ASK_PASSWORD",
)
"""By which of rclone's ways the user has chosen to log in."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A place as rclone names it. The environment may hold secrets: it is never shown."""

    place: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def remote(location: str, environment: Mapping[str, str]) -> Remote | None:
    """Translate a restic location (`s3:…`, `sftp:…`); nothing where rclone is not needed for it.

    `environment` is where restic looks for credentials (restic doc/040_backup.rst, "Environment Variables").

    Raises:
        NoSuchTarget: the kind of place is known, and the rest cannot be read.
    """
    scheme, colon, rest = location.partition(":")
    translate = _SCHEMES.get(scheme)
    if not colon or translate is None:
        return None
    found = translate(rest, environment)
    if found is None:
        raise NoSuchTarget(f"{scheme}:", "the location cannot be read", "Write it as for restic -r.")
    return found


def _given(environment: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Variables for rclone, from those for restic that are set."""
    return {ours: environment[theirs] for ours, theirs in names.items() if environment.get(theirs)}


def _s3(rest: str, environment: Mapping[str, str]) -> Remote | None:
    # s3:https://host:port/bucket/prefix, s3:host/bucket/prefix, s3://host/bucket/prefix
    url = rest if re.match(r"https?://", rest) else "https://" + rest.removeprefix("//")
    scheme, _, place = url.partition("://")
    host, _, path = place.partition("/")
    if not host or not path.strip("/"):
        return None
    amazon = host.endswith("amazonaws.com")
    found = {
        "RCLONE_S3_PROVIDER": "AWS" if amazon else "Other",
        # Without keys in the environment, rclone looks where the AWS programs do, as restic does.
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    if host != "s3.amazonaws.com":
        found["RCLONE_S3_ENDPOINT"] = f"{scheme}://{host}"
    found |= _given(
        environment,
        {
            "RCLONE_S3_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
            "RCLONE_S3_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
            "RCLONE_S3_SESSION_TOKEN": "AWS_SESSION_TOKEN",
            "RCLONE_S3_REGION": "AWS_DEFAULT_REGION",
        },
    )
    return Remote(":s3:" + path.strip("/"), found)


def _sftp(rest: str, environment: Mapping[str, str]) -> Remote | None:
    # sftp:user@host:/path, or sftp://user@host:port//path, where one slash is relative to the home folder
    if rest.startswith("//"):
        try:
            parts = urlsplit("sftp:" + rest)
            host, user, port, path = parts.hostname, parts.username, parts.port, parts.path[1:]
        except ValueError:
            return None
    else:
        place, colon, path = rest.partition(":")
        if not colon:
            return None
        user, _, host = place.rpartition("@")
        port = None
    if not host or not path:
        return None
    found = {
        "RCLONE_SFTP_HOST": host,
        # Without this, rclone trusts any host key.
        "RCLONE_SFTP_KNOWN_HOSTS_FILE": environment.get("RCLONE_SFTP_KNOWN_HOSTS_FILE")
        or os.path.expanduser("~/.ssh/known_hosts"),
        # Its ten attempts to log in would have us shut out of many a server.
        "RCLONE_LOW_LEVEL_RETRIES": environment.get("RCLONE_LOW_LEVEL_RETRIES") or "3",
    }
    if not any(environment.get(name) for name in _SSH_MEANS) and (key := _ssh_key()):
        found["RCLONE_SFTP_KEY_FILE"] = key
    if user:
        found["RCLONE_SFTP_USER"] = user
    if port:
        found["RCLONE_SFTP_PORT"] = str(port)
    return Remote(":sftp:" + path, found)


def _ssh_key() -> str | None:
    """The key that ssh would take of its own accord (ssh_config(5), IdentityFile); rclone 1.60 takes none."""
    paths = (os.path.expanduser(f"~/.ssh/{name}") for name in ("id_rsa", "id_ecdsa", "id_ed25519"))
    return next(filter(os.path.isfile, paths), None)


def _rclone(rest: str, _environment: Mapping[str, str]) -> Remote | None:
    # The remote is described in rclone's own configuration.
    return Remote(rest) if ":" in rest else None


def _bucket(kind: str, names: Mapping[str, str]) -> Callable[[str, Mapping[str, str]], Remote | None]:
    """b2:bucket:path, azure:container:/path, gs:bucket:/path, swift:container:/path."""

    def translate(rest: str, environment: Mapping[str, str]) -> Remote | None:
        bucket, _, path = rest.partition(":")
        if not bucket:
            return None
        return Remote(f":{kind}:{bucket}/{path.strip('/')}", _given(environment, names))

    return translate


_SCHEMES: dict[str, Callable[[str, Mapping[str, str]], Remote | None]] = {
    "s3": _s3,
    "sftp": _sftp,
    "rclone": _rclone,
    "b2": _bucket("b2", {"RCLONE_B2_ACCOUNT": "B2_ACCOUNT_ID", "RCLONE_B2_KEY": "B2_ACCOUNT_KEY"}),
    "azure": _bucket(
        "azureblob",
        {
            "RCLONE_AZUREBLOB_ACCOUNT": "AZURE_ACCOUNT_NAME",
            "RCLONE_AZUREBLOB_KEY": "AZURE_ACCOUNT_KEY",
            "RCLONE_AZUREBLOB_SAS_URL": "AZURE_ACCOUNT_SAS",
        },
    ),
    "gs": _bucket("gcs", {"RCLONE_GCS_SERVICE_ACCOUNT_FILE": "GOOGLE_APPLICATION_CREDENTIALS"}),
    "swift": _bucket(
        "swift",
        {
            "RCLONE_SWIFT_AUTH": "OS_AUTH_URL",
            "RCLONE_SWIFT_USER": "OS_USERNAME",
            "RCLONE_SWIFT_KEY": "OS_PASSWORD",
            "RCLONE_SWIFT_REGION": "OS_REGION_NAME",
            "RCLONE_SWIFT_TENANT": "OS_TENANT_NAME",
        },
    ),
}
