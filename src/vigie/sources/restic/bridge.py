"""Any place rclone knows (S3, SFTP, B2, …) as a REST server on loopback, for as long as the reader lives."""

import os
import re
import secrets
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from typing import IO

from vigie.errors import MissingProgram, NoSuchTarget, Unreadable
from vigie.sources.restic.remote import Remote
from vigie.sources.restic.rest import RestTransport
from vigie.sources.restic.transport import Refused, Unreachable

_START = 30.0
"""Seconds rclone may take until it serves."""
_STOP = 3.0
"""Seconds rclone may take to end when told to, before it is killed."""
_TOLD = 64 * 1024
"""Bytes of its log that are looked at."""
_SERVING = re.compile(rb"on \[?(http://127\.0\.0\.1:\d+)/")
_OPENING = re.compile(r'^[\d/]+ [\d:]+ (Failed to create file system for ".*?": (NewFs: )?)?')
"""What rclone's last words begin with, which says nothing about the cause."""
_KEPT_BACK = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "AWS_CA_BUNDLE")
"""restic's secrets are not rclone's business; and rclone 1.60 fails on any AWS_CA_BUNDLE ("unsupported
transport"), so the certificates are named to it in its own way."""


class BridgedTransport:
    """A transport over `rclone serve restic`, which is started here and ends with us.

    It listens on a free loopback port, behind a user and a password made up for the occasion, and is told to
    append only: other users of the machine can neither read nor harm the repository through it. All secrets
    reach it by environment, none by argument.
    """

    far = True

    def __init__(self, remote: Remote, environment: Mapping[str, str], name: str = "") -> None:
        """Start rclone over `remote`; `environment` is ours, of which it does not get restic's password.

        `name` is what people call the place, where that is not what rclone does.

        Raises:
            MissingProgram: rclone is not installed.
            NoSuchTarget: it did not start to serve.
        """
        user, password = secrets.token_hex(16), secrets.token_hex(32)
        log = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as rclone writes to it)
        command = ["rclone", "serve", "restic", "--append-only", "--addr", "127.0.0.1:0", "--", remote.place]
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={
                    **_inherited(environment),
                    **remote.environment,
                    "RCLONE_USER": user,
                    "RCLONE_PASS": password,
                },
            )
        except FileNotFoundError as error:
            log.close()
            raise MissingProgram(
                "rclone", "it is not installed, and this kind of place is read through it", "Install rclone."
            ) from error
        # Also runs when the transport is forgotten, or Python ends, without a close.
        self._stop = weakref.finalize(self, _stop, child, log)
        try:
            address = _address(child, log, name or remote.place)
            _demand_guard(address)
            self._rest = RestTransport(address, user, password)
            self._log = log
        except BaseException:
            self._stop()
            raise

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind.

        Raises:
            Unreadable: they cannot be listed; as `Unreachable` where the far side refused or failed.
        """
        # rclone 1.60 answers "not found" whatever went wrong, and says what it was in its log only.
        names = self._rest.names(kind)
        if not names and f" {kind}: list failed:".encode() in _last(self._log):
            raise Unreachable(f"rclone cannot list its {kind}: the far side refuses or fails")
        return names

    def read(self, kind: str, name: str, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut where the file ends."""
        return self._rest.read(kind, name, offset, length)

    def close(self) -> None:
        """End rclone."""
        self._rest.close()
        self._stop()


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What rclone gets of our environment, with the certificates restic or the AWS programs would trust."""
    found = {key: value for key, value in environment.items() if key not in _KEPT_BACK}
    if certificates := environment.get("RESTIC_CACERT") or environment.get("AWS_CA_BUNDLE"):
        found.setdefault("RCLONE_CA_CERT", certificates)
    return found


def _address(child: "subprocess.Popen[bytes]", log: IO[bytes], place: str) -> str:
    """Wait until rclone says where it serves."""
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        ended = child.poll() is not None
        said = os.pread(log.fileno(), _TOLD, 0)
        if found := _SERVING.search(said):
            return found[1].decode("ascii")
        if ended:
            lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            words = _OPENING.sub("", lines[-1])
            raise NoSuchTarget(place, f"rclone cannot open it: {words}", _remedy(words))
        time.sleep(0.02)
    raise NoSuchTarget(
        place, "rclone did not start to serve it in time", "Check the network, then try again."
    )


def _last(log: IO[bytes]) -> bytes:
    """What rclone said last."""
    return os.pread(log.fileno(), _TOLD, max(0, os.fstat(log.fileno()).st_size - _TOLD))


def _remedy(words: str) -> str:
    """What to do about the last words of rclone (crypto/ssh, its backend sftp)."""
    if "known_hosts" in words or "knownhosts" in words:
        return "Connect once with ssh, as this user, and compare the key of that machine with the true one."
    if "unable to authenticate" in words or "SSH agent" in words or "private key" in words:
        return "Load the key with ssh-add, or name it in RCLONE_SFTP_KEY_FILE."
    return "Check the location and the keys."


def _demand_guard(address: str) -> None:
    """Make sure that nobody else on this machine reads along: without password, there must be a refusal."""
    stranger = RestTransport(address)
    try:
        stranger.read("config", "", 0, 1)
    except Refused:
        return
    except Unreadable as error:
        reason = error.reason
    else:
        reason = "it lets anybody in"
    finally:
        stranger.close()
    raise MissingProgram("rclone", f"it does not guard what it serves ({reason})", "Install another version.")


def _stop(child: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    log.close()
