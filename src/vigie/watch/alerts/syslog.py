"""Events to a syslog server, as RFC 5424 messages.

Over UDP (RFC 5426), TCP with octet counting (RFC 6587, section 3.4.1), or a socket of this machine.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from vigie.errors import BadSettings
from vigie.watch.alerts.words import plain, who

_FACILITY = 13
"""log audit (RFC 5424, table 1)."""
_SEVERITY = {"incident": 1, "verdict": 4, "action": 5, "trouble": 3}
"""RFC 5424, table 2: alert, warning, notice, error; 6 is informational."""
_ENTERPRISE = "vigie@32473"
"""SD-ID with the enterprise number that RFC 5612 keeps for documentation: Vigie has none of its own."""
_LONGEST = 2000
"""Bytes of a message; every receiver must take 480, and should take 2,048 (RFC 5424, section 6.1)."""
SECONDS = 2.0
"""How long a connection or a write may take."""


def message(event: Mapping[str, Any], host: str) -> bytes:
    """One event as an RFC 5424 message."""
    name = str(event["event"])
    severity = _SEVERITY.get(name, 6) if event.get("acts", True) else 5
    told = event.get("reason") or event.get("outcome") or event.get("problem") or name
    fields = {
        "id": event.get("id") or event.get("incident"),
        "actor": who(event.get("actor")),
        "file": event.get("path") or next(iter(event.get("files") or ()), None),
        "count": event.get("count"),
        "kind": event.get("kind"),
        "address": event.get("address"),
    }
    data = "".join(f' {key}="{_escaped(plain(value))}"' for key, value in fields.items() if value)
    structured = f"[{_ENTERPRISE}{data}]" if data else "-"
    stamp = event["time"]
    head = f"<{_FACILITY * 8 + severity}>1 {stamp} {_word(host, 255)} vigie {os.getpid()} {_word(name, 32)} "
    text = head.encode() + structured.encode() + b" \xef\xbb\xbf" + plain(told).encode()
    return text[:_LONGEST].decode(errors="ignore").encode()  # never half a character


def _escaped(text: str) -> str:
    """PARAM-VALUE (section 6.3.3)."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _word(text: str, most: int) -> str:
    """PRINTUSASCII without spaces, or the nil value."""
    return "".join(c for c in text if "!" <= c <= "~")[:most] or "-"


class Syslog:
    """Sends to `udp://host:514`, `tcp://host:601` or `unix:///dev/log`; connects anew after a failure.

    Raises:
        BadSettings: this is no such address.
    """

    def __init__(self, address: str, host: str) -> None:
        self._host = host
        self.name = address
        try:
            parts = urlsplit(address)
            self._kind, self._path = parts.scheme, parts.path
            self._server = (parts.hostname or "", parts.port or (601 if self._kind == "tcp" else 514))
        except ValueError as error:
            raise _bad(address) from error
        if not ((self._kind in ("udp", "tcp") and self._server[0]) or (self._kind == "unix" and self._path)):
            raise _bad(address)
        self._socket: socket.socket | None = None

    def write(self, event: Mapping[str, Any]) -> None:
        """Send one.

        Raises:
            OSError: nobody takes it.
        """
        data = message(event, self._host)
        if self._kind == "tcp":
            data = b"%d %s" % (len(data), data)
        for fresh in (self._socket is None, True):
            try:
                if self._socket is None:
                    self._socket = self._connect()
                self._socket.sendall(data)
            except OSError:
                self.close()
                if fresh:
                    raise
            else:
                return

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if self._kind == "tcp":
            return socket.create_connection(self._server, SECONDS)
        if self._kind == "unix":
            one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            server: Any = self._path
        else:
            family, _, _, _, server = socket.getaddrinfo(*self._server, type=socket.SOCK_DGRAM)[0]
            one = socket.socket(family, socket.SOCK_DGRAM)
        try:
            one.settimeout(SECONDS)
            one.connect(server)
        except OSError:
            one.close()
            raise
        return one


def _bad(address: str) -> BadSettings:
    remedy = 'Write "udp://host:514", "tcp://host:601" or "unix:///dev/log".'
    return BadSettings("guard.alerts.syslog", f"{plain(address)} is no address of a syslog server", remedy)
