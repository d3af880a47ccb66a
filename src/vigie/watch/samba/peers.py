"""The other end of a process's TCP connections, from proc(5): at once, and without asking anybody.

Samba has one smbd a client connection, and fanotify reports that process. Which address it talks to stands in
/proc/PID/net/tcp (and tcp6), on the line of a socket that the process has open.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_ESTABLISHED, _LISTEN = "01", "0A"
"""States of include/net/tcp_states.h, as /proc/net/tcp writes them."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_TABLE = 64 << 20
"""Bytes of such a table that are read: some 400,000 connections."""
_OPEN = 4096
"""Descriptors of a process that are looked at."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Line:
    """One socket of a table."""

    state: str
    port: int
    """Our end."""
    peer: Address
    inode: str


def peers_of(pid: int) -> tuple[str, ...]:
    """Addresses that are connected to a port this machine listens on, through a socket of that process.

    An address of IPv4 inside IPv6 is written as IPv4; empty when the process is gone or serves nobody.
    """
    sockets = set(_sockets(pid))
    if not sockets:
        return ()
    lines = [line for name in ("tcp", "tcp6") for line in parse(_read(f"/proc/{pid}/net/{name}"))]
    ours = {line.port for line in lines if line.state == _LISTEN}
    found = (
        str(line.peer)
        for line in lines
        if line.inode in sockets and line.state == _ESTABLISHED and line.port in ours
    )
    return tuple(dict.fromkeys(found))


def parse(table: str) -> Iterator[Line]:
    """The lines of /proc/net/tcp or tcp6; what is none is passed over."""
    for row in table.splitlines()[1:]:
        with suppress(IndexError, ValueError):
            words = row.split()
            yield Line(
                state=words[3],
                port=int(words[1].rpartition(":")[2], 16),
                peer=_address(words[2].rpartition(":")[0]),
                inode=words[9],
            )


def _address(text: str) -> Address:
    """From words of 32 bits, each in the byte order of the machine (proc(5))."""
    data = bytes.fromhex(text)
    if len(data) not in (4, 16):
        raise ValueError(text)
    words = (data[at : at + 4][::-1] for at in range(0, len(data), 4))
    raw = b"".join(words) if sys.byteorder == "little" else data
    if len(raw) == 4:
        return IPv4Address(raw)
    address = IPv6Address(raw)
    return address.ipv4_mapped or address


def _sockets(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names[:_OPEN]:
        with suppress(OSError):
            if match := _SOCKET.fullmatch(os.readlink(f"{folder}/{name}")):
                yield match[1]


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(_TABLE)
    except OSError:
        return ""
