"""A repository behind a REST server (restic doc/REST_backend.rst): rest-server, `rclone serve restic`."""

import http.client
import json
import os
import ssl
import threading
import time
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from vigie.errors import NoSuchTarget, Unreadable
from vigie.sources.restic.transport import Absent, Refused, Unreachable

_LISTING = 64 * 1024 * 1024
"""Bytes of a listing; about 600,000 files of one kind."""
_TIMEOUT = 60.0
"""Seconds the server may stay silent."""
_PATIENCE = 900.0
"""Seconds one answer may take in all: a server that drips a byte a minute is not waited for."""
_VERSION_2 = "application/vnd.x.restic.rest.v2"


class RestTransport:
    """One connection to a REST server, kept open between requests; may be shared by threads."""

    far = True

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        """`url` is http(s); user and password in it win over the other two.

        Raises:
            NoSuchTarget: it is no such URL.
        """
        wrong = NoSuchTarget(
            "rest:", "the URL cannot be read", "Write it as rest:https://host:8000/repository/"
        )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise wrong from error
        if not host or parts.scheme not in ("http", "https"):
            raise wrong
        self._connection = _connection(parts.scheme, host, port)
        self._path = parts.path.rstrip("/")
        self._lock = threading.Lock()
        self._headers = {"Accept": _VERSION_2, "User-Agent": "vigie"}
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
        if user:
            token = b64encode(f"{user}:{password}".encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {token}"

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind.

        Raises:
            Unreadable: they cannot be listed.
        """
        try:
            body = self._get(f"{self._path}/{kind}/", 0, _LISTING + 1, ranged=False)
        except Absent:
            return ()
        if len(body) > _LISTING:
            raise Unreadable("the server's listing is too long")
        try:
            listing = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Unreadable("the server's listing is not JSON") from error
        if not isinstance(listing, list):
            raise Unreadable("the server's listing is not a list")
        # Version 1 of the protocol lists names, version 2 objects with a name and a size.
        names = (item.get("name") if isinstance(item, dict) else item for item in listing)
        return tuple(sorted({name for name in names if isinstance(name, str)}))

    def read(self, kind: str, name: str, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut where the file ends.

        Raises:
            Unreadable: as `Absent`, `Refused` or `Unreachable` where that is why.
        """
        if length <= 0:
            return b""
        path = f"{self._path}/{kind}/{name}" if name else f"{self._path}/{kind}"
        return self._get(path, offset, length, ranged=True)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _get(self, path: str, offset: int, length: int, *, ranged: bool) -> bytes:
        headers = dict(self._headers)
        if ranged:
            headers["Range"] = f"bytes={offset}-{offset + length - 1}"
        with self._lock:
            try:
                try:
                    return self._once(path, headers, offset, length)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    # A kept connection that the server has closed meanwhile: once more on a new one.
                    self._connection.close()
                    return self._once(path, headers, offset, length)
            except TimeoutError as error:
                self._connection.close()
                raise Unreachable("the server does not answer in time") from error
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise Unreachable(
                    f"the server cannot be reached ({type(error).__name__}: {error})"
                ) from error

    def _once(self, path: str, headers: dict[str, str], offset: int, length: int) -> bytes:
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        try:
            if response.status == http.client.NOT_FOUND:
                raise Absent("it is missing")
            if response.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
                raise Refused("the server refuses: user or password is wrong, or missing")
            if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                return b""
            if response.status == http.client.OK and offset:
                raise Unreadable("the server cannot give parts of a file")
            if response.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
                raise Unreadable(f"the server answers {response.status} {response.reason}")
            return _body(response, length)
        finally:
            # An answer not read to its end would be taken for the next one.
            if not response.isclosed():
                self._connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        context = ssl.create_default_context(cafile=os.environ.get("RESTIC_CACERT") or None)
    except OSError as error:
        raise NoSuchTarget("RESTIC_CACERT", "the certificates cannot be read", "Name a PEM file.") from error
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


def _body(response: http.client.HTTPResponse, length: int) -> bytes:
    """At most `length` bytes of the answer, however long the server says it is."""
    pieces: list[bytes] = []
    deadline = time.monotonic() + _PATIENCE
    while length > 0 and (piece := response.read1(min(length, 1 << 20))):
        if time.monotonic() > deadline:
            raise TimeoutError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
