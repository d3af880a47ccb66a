"""The REST transport against servers that lie, stall and hang up; honest ones are in the contract suite."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vigie.errors import NoSuchTarget, NotPermitted, Unreadable
from vigie.sources.restic import ResticSource, rest
from vigie.sources.restic.location import connect, shown
from vigie.sources.restic.rest import RestTransport
from vigie.sources.restic.transport import Absent, LocalTransport, Refused, Unreachable

Answer = Callable[[list[bytes]], str]


@pytest.fixture
def answer() -> Iterator[Answer]:
    """Start a server that gives these raw answers, one a request, and hangs up after an empty one."""
    listeners: list[socket.socket] = []

    def talk(listener: socket.socket, answers: list[bytes]) -> None:
        connection: socket.socket | None = None
        for raw in answers:
            if connection is None:
                connection, _ = listener.accept()
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                request += more
            connection.sendall(raw)
            if not raw or b"close" in raw:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def start(answers: list[bytes]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=talk, args=(listener, answers), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/repository/"

    yield start
    for listener in listeners:
        listener.close()


def ok(body: bytes, status: str = "206 Partial Content", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def read(url: str, offset: int = 0, length: int = 10) -> bytes:
    transport = RestTransport(url)
    try:
        return transport.read("config", "", offset, length)
    finally:
        transport.close()


def test_a_range_is_read_and_never_more(answer: Answer) -> None:
    assert read(answer([ok(b"0123456789")]), 5) == b"0123456789"
    assert read(answer([ok(b"0123456789" * 10)])) == b"0123456789"
    assert read(answer([ok(b"0123456789" * 10, "200 OK")])) == b"0123456789"
    assert read(answer([ok(b"", "416 Range Not Satisfiable")]), 500) == b""
    assert read("http://127.0.0.1:1/", 0, 0) == b""


def test_a_connection_closed_between_requests_is_opened_again(answer: Answer) -> None:
    transport = RestTransport(answer([ok(b"a"), b"", ok(b"b")]))
    assert transport.read("config", "", 0, 1) == b"a"
    assert transport.read("config", "", 0, 1) == b"b"
    transport.close()


def test_an_answer_that_was_not_read_to_its_end_is_not_taken_for_the_next(answer: Answer) -> None:
    transport = RestTransport(answer([ok(b"x" * 100 + b"close"), ok(b"b")]))
    assert transport.read("config", "", 0, 1) == b"x"
    assert transport.read("config", "", 0, 1) == b"b"
    transport.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (ok(b"", "404 Not Found"), Absent),
        (ok(b"", "401 Unauthorized"), Refused),
        (ok(b"", "403 Forbidden"), Refused),
        (ok(b"", "500 Internal Server Error"), Unreadable),
        (ok(b"", "302 Found", "Location: http://elsewhere/\r\n"), Unreadable),
        (ok(b"whole file", "200 OK"), Unreadable),
        (b"noise\r\n\r\n", Unreachable),
        (b"HTTP/1.1 206 " + b"x" * 70_000, Unreachable),
    ],
)
def test_refusals_are_told_apart(answer: Answer, raw: bytes, expected: type[Unreadable]) -> None:
    with pytest.raises(Unreadable) as raised:
        read(answer([raw, raw]), 5)
    assert type(raised.value) is expected


def test_a_server_that_is_not_there_or_hangs_up(answer: Answer) -> None:
    with pytest.raises(Unreachable):
        read("http://127.0.0.1:1/")
    with pytest.raises(Unreachable):
        read(answer([b"", b""]))


def test_a_silent_or_dripping_server_is_given_up(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_TIMEOUT", 0.2)
    with pytest.raises(Unreachable, match="in time"):
        read(answer([ok(b"0123456789")[:-5], b""]))
    monkeypatch.setattr(rest, "_PATIENCE", -1.0)
    with pytest.raises(Unreachable, match="in time"):
        read(answer([ok(b"0123456789")]))


NAME = "ab" * 32


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (f'["{NAME}"]', (NAME,)),
        (f'[{{"name":"{NAME}","size":5}},{{"name":"{NAME}.locked"}},7,{{}}]', (NAME, f"{NAME}.locked")),
        ("[]", ()),
    ],
)
def test_listings_of_both_versions_are_read(answer: Answer, body: str, names: tuple[str, ...]) -> None:
    assert (
        RestTransport(answer([ok(body.encode(), "200 OK", "Connection: close\r\n")])).names("keys") == names
    )


@pytest.mark.parametrize("body", ["", "{}", "[" * 100_000, "x" * 200_000])
def test_listings_that_are_none_are_refused(
    answer: Answer, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_LISTING", 150_000)
    with pytest.raises(Unreadable, match="listing"):
        RestTransport(answer([ok(body.encode(), "200 OK")])).names("keys")


def test_a_folder_that_is_missing_has_no_names(answer: Answer) -> None:
    assert RestTransport(answer([ok(b"", "404 Not Found")])).names("keys") == ()


@pytest.mark.parametrize(
    "url", ["", "ftp://host/", "http://", "http://[::1", "http://host:port/", "http+unix:///x"]
)
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(NoSuchTarget) as raised:
        RestTransport(url)
    assert raised.value.subject == "rest:"


def test_https_trusts_the_named_certificates_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    RestTransport("https://127.0.0.1:1/").close()
    monkeypatch.setenv("RESTIC_CACERT", str(tmp_path / "nothing.pem"))
    with pytest.raises(NoSuchTarget) as raised:
        RestTransport("https://127.0.0.1:1/")
    assert raised.value.subject == "RESTIC_CACERT"


def test_locations_are_understood_and_shown_without_password(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(connect("/srv/backup"), LocalTransport)
    assert isinstance(connect("local:s3:odd"), LocalTransport)
    assert isinstance(connect("C:odd"), LocalTransport)
    assert isinstance(connect("rest:http://host/"), RestTransport)
    assert shown("rest:http://user:secret@host/x") == "rest:http://***@host/x"
    assert shown("rest:http://user:p@ss@host/x@y") == "rest:http://***@host/x@y"
    assert shown("/srv/backup") == "/srv/backup"
    monkeypatch.setenv("RESTIC_REST_USERNAME", "u")
    monkeypatch.setenv("RESTIC_REST_PASSWORD", "p")
    transport = connect("rest:http://host/")
    assert isinstance(transport, RestTransport)
    assert transport._headers["Authorization"] == "Basic dTpw"


def test_user_and_password_from_the_environment(
    repository: Callable[[int, str], Path],
    serve: Callable[[Path], str],
    password: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    location = f"rest:http://{serve(repository(2, 'auto'))}/"
    with pytest.raises(NotPermitted) as raised:
        ResticSource(location, password)
    assert "refuses" in raised.value.problem
    monkeypatch.setenv("RESTIC_REST_USERNAME", "vigie")
    monkeypatch.setenv("RESTIC_REST_PASSWORD", "p w")
    with ResticSource(location, password) as opened:
        assert len(opened.snapshots()) == 2
    with pytest.raises(NoSuchTarget):
        ResticSource(f"{location}elsewhere/", password)
