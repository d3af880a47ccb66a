"""What `smbstatus --json` (Samba 4.17 and later) says of connections: pid to user, machine, share."""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

SECONDS = 2.0
"""How long it may take: a busy server answers in some 50 ms."""
_LARGEST = 32 << 20
"""Bytes of an answer that are parsed: some 40,000 connections."""
_LONGEST = 256
"""Characters of a name that are kept: a client chooses some of them."""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection, as Samba tells it."""

    pid: int
    address: str
    """Empty where Samba gives none."""
    user: str
    machine: str
    """What the client calls itself: hostile."""
    shares: tuple[str, ...]


def sessions(program: Sequence[str] = ("smbstatus",), seconds: float = SECONDS) -> tuple[Session, ...]:
    """Every connection now; takes up to `seconds`.

    Raises:
        OSError: the program is not there, or took too long (TimeoutError), or failed.
        ValueError: what it says is not what Samba 4.17 says.
    """
    process = subprocess.Popen(
        [*program, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    with process:
        # Read to its end or too far, and no further: then it is killed like one that hangs.
        said = process.stdout.read(_LARGEST + 1) if process.stdout else b""
        if len(said) > _LARGEST:
            process.kill()
    late = not limit.is_alive()
    limit.cancel()
    if late:
        raise TimeoutError(f"{program[0]} did not answer within {seconds:g} s")
    if len(said) > _LARGEST:
        raise ValueError(f"{program[0]} said more than {_LARGEST:,} bytes")
    if process.returncode:
        raise OSError(f"{program[0]} --json ended with {process.returncode} (it needs Samba 4.17)")
    return parse(said)


def parse(data: bytes) -> tuple[Session, ...]:
    """The sessions in its output.

    Raises:
        ValueError: it is not JSON, or not of this form as a whole; single odd sessions are passed over.
    """
    try:
        told = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    connections = told.get("sessions") if isinstance(told, dict) else None
    if not isinstance(connections, dict):
        raise ValueError("no sessions in it")  # noqa: TRY004 - of what a program said, not of a type
    trees = told.get("tcons")
    shares: dict[int, dict[str, None]] = {}
    for tree in trees.values() if isinstance(trees, dict) else ():
        if isinstance(tree, dict) and (pid := _pid(tree)) is not None:
            shares.setdefault(pid, {})[_text(tree, "service")] = None
    found = []
    for session in connections.values():
        if not isinstance(session, dict) or (pid := _pid(session)) is None:
            continue
        found.append(
            Session(
                pid,
                _address(_text(session, "hostname")),
                _text(session, "username"),
                _text(session, "remote_machine"),
                tuple(shares.get(pid, ())),
            )
        )
    return tuple(found)


def _pid(body: Mapping[str, Any]) -> int | None:
    server = body.get("server_id")
    text = str(server.get("pid", ""))[:20] if isinstance(server, dict) else ""
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    return value[:_LONGEST] if isinstance(value, str) else ""


def _address(host: str) -> str:
    """Of `ipv4:192.0.2.7:60400` or `ipv6:2001:db8::7:60400`."""
    kind, _, rest = host.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    try:
        return str(ip_address(rest.rpartition(":")[0]))
    except ValueError:
        return ""
