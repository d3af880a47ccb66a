"""What people and other programs are told: real sockets on loopback, a real web hook through apprise."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import BadSettings
from vigie.ui.cli.guard.alerts import command
from vigie.watch.alerts.ecs import EcsFile, to_ecs
from vigie.watch.alerts.limits import HOUR, MOST, PAUSE, Limits, Message
from vigie.watch.alerts.machines import Machines
from vigie.watch.alerts.people import People, through_apprise, urls_of
from vigie.watch.alerts.syslog import Syslog, message
from vigie.watch.alerts.words import WORDS, plain, text

CLIENT = {"address": "10.0.0.2", "user": "anne", "machine": "pc-2", "share": "patients"}
ACTOR: dict[str, Any] = {
    "pid": 7,
    "executable": "/usr/sbin/smbd",
    "command": ["smbd", "-F"],
    "user": "root",
    "parents": [{"pid": 1, "executable": "/sbin/init"}],
    "client": CLIENT,
    "container": "",
}
INCIDENT: dict[str, Any] = {
    "event": "incident",
    "time": "2026-11-24T03:12:00.000Z",
    "id": "20261124-0312-3f7a",
    "actor": ACTOR,
    "files": [f"/srv/patients/{n}.pdf" for n in range(9)],
    "count": 9,
    "reason": "9 files were turned into encrypted ones within 60 min",
    "acts": True,
}
HOSTILE = "a\r\nBcc: all@hospital\x1b[2J\u202egpj.exe\udce9<b>"
TROUBLE = {"event": "trouble", "time": INCIDENT["time"], "what": "journal", "problem": "full", "remedy": ""}


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_first_is_told_at_once_and_the_rest_summed_up() -> None:
    limits = Limits()
    assert limits.take(INCIDENT, 0.0) == Message("incident", (INCIDENT,))
    assert limits.take(TROUBLE, 0.0) is not None  # another kind
    for n in range(50):
        assert limits.take(INCIDENT, n / 10) is None
    assert limits.due(PAUSE - 1) == []
    [summed] = limits.due(PAUSE)
    assert len(summed.events) + summed.more == 50
    assert limits.due(PAUSE) == limits.rest(PAUSE) == []


@given(st.lists(st.floats(0, 200), max_size=300))
@settings(max_examples=60, deadline=None)
def test_nobody_is_flooded_and_nothing_is_lost(waits: list[float]) -> None:
    limits, now = Limits(), 0.0
    told: list[tuple[float, int]] = []
    for wait in waits:
        now += wait
        told += [(now, len(m.events) + m.more) for m in limits.due(now)]
        if limits.take(INCIDENT, now) is not None:
            told.append((now, 1))
    told += [(now + PAUSE, len(m.events) + m.more) for m in limits.rest(now + PAUSE)]
    assert sum(count for _, count in told) == len(waits)
    times = [at for at, _ in told[:-1]]
    assert all(b - a >= PAUSE for a, b in pairwise(times))
    assert all(sum(a <= t < a + HOUR for t in times) <= MOST for a in times)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_alert_says_who_what_and_what_to_do(language: str) -> None:
    subject, body = text(Message("incident", (INCIDENT,), 3), language, "srv1", "Jean, 01 23")
    assert "srv1" in subject
    assert "9 files were turned" in subject
    for word in ("10.0.0.2, pc-2, anne, patients", "vigie release 20261124-0312-3f7a", "/srv/patients/4.pdf"):
        assert word in body
    assert "/srv/patients/5.pdf" not in body
    assert "Jean, 01 23" in body
    told = text(Message("incident", ({**INCIDENT, "acts": False, "actor": None},)), language, "srv1")[1]
    assert WORDS[language]["check"] in told
    assert WORDS[language]["nobody"] in told
    frozen = {"event": "action", "time": "t", "kind": "freeze", "pid": 7, "outcome": "frozen"}
    assert "freeze 7: frozen" in text(Message("action", (frozen,)), language, "srv1")[0]
    assert "journal: full" in text(Message("trouble", (TROUBLE,)), language, "srv1")[0]


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["fr"].keys() == WORDS["en"].keys()


def test_hostile_names_stay_on_their_line() -> None:
    client = {**CLIENT, "machine": HOSTILE}
    event = {**INCIDENT, "files": [HOSTILE], "reason": HOSTILE, "actor": {**ACTOR, "client": client}}
    subject, body = text(Message("incident", (event,)), "en", HOSTILE, HOSTILE)
    assert subject.isprintable()
    assert body.replace("\n", "").isprintable()
    assert "\nBcc" not in body
    assert len(plain("x" * 10_000)) < 300


class Services:
    """A fake of what sends: fails as often as told."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.sent: list[str] = []

    def __call__(self, subject: str, body: str) -> list[str]:
        if self.fails:
            self.fails -= 1
            if self.fails % 2:
                raise ConnectionError("secret://password@host")
            return ["mail (address 1)"]
        self.sent.append(subject + "\n" + body)
        return []


def test_people_are_told_in_the_end() -> None:
    services, troubles, now = Services(fails=2), list[str](), [0.0]
    people = People(services, troubles.append, "en", "srv1", clock=lambda: now[0])
    people.tell(INCIDENT)
    people.tell({"event": "verdict"})
    people.tell({**TROUBLE, "problem": ""})
    eventually(lambda: len(troubles) == 1)
    now[0] = 3.0
    eventually(lambda: len(troubles) == 2)
    now[0] = 30.0
    eventually(lambda: len(services.sent) == 1)
    people.tell(INCIDENT)  # too early to be told by itself
    people.close()
    assert len(services.sent) == 2
    assert not any("password" in trouble for trouble in troubles)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web hook on loopback, and what it got."""
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/yes" else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library's
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_through_apprise(hook: tuple[str, list[dict[str, Any]]]) -> None:
    address, got = hook
    send = through_apprise([f"{address}/yes", f"{address}/no"])
    [failed] = send("subject", "body")
    assert "address 2" in failed
    assert address not in failed
    assert got[0]["title"] == "subject"
    assert got[0]["message"] == "body"
    with pytest.raises(BadSettings, match="address 1 for alerts"):
        through_apprise(["nothing of the kind"])


def test_addresses_are_secret(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("# mine\n\njson://127.0.0.1:9/ \n")
    file.chmod(0o644)
    with pytest.raises(BadSettings, match="others can read it"):
        urls_of(str(file))
    file.chmod(0o600)
    assert urls_of(str(file)) == ("json://127.0.0.1:9/",)
    file.write_bytes(b"\xff")
    for path in (file, tmp_path / "none"):
        with pytest.raises(BadSettings, match="cannot be read"):
            urls_of(str(path))


def test_a_message_of_rfc_5424() -> None:
    data = message({**INCIDENT, "reason": 'a "quote"] and\nmore'}, "srv 1").decode()
    assert data.startswith("<105>1 2026-11-24T03:12:00.000Z srv1 vigie ")
    assert '[vigie@32473 id="20261124-0312-3f7a" actor="10.0.0.2, pc-2, anne, patients"' in data
    assert ' file="/srv/patients/0.pdf" count="9"] \ufeffa "quote"] and\N{REPLACEMENT CHARACTER}more' in data
    hostile = {**INCIDENT, "files": ['x"]\\' + HOSTILE * 100], "reason": "é" * 5000}
    long = message(hostile, HOSTILE)
    assert len(long) <= 2000
    assert b'file="x\\"\\]\\\\a' in long
    long.decode()
    assert b" - \xef\xbb\xbf" in message({"event": "ready", "time": "t"}, "h")


def receive(kind: str, tmp_path: Path) -> tuple[str, socket.socket]:
    if kind == "unix":
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(tmp_path / "log"))
        return f"unix://{tmp_path}/log", server
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    if kind == "tcp":
        server.listen()
    return f"{kind}://127.0.0.1:{server.getsockname()[1]}", server


@pytest.mark.parametrize("kind", ["udp", "tcp", "unix"])
def test_syslog_arrives(kind: str, tmp_path: Path) -> None:
    address, server = receive(kind, tmp_path)
    with server:
        server.settimeout(5)
        syslog = Syslog(address, "srv1")
        syslog.write(INCIDENT)
        if kind == "tcp":
            first, _ = server.accept()
            with first:
                first.settimeout(5)
                length, _, data = first.recv(4000).partition(b" ")
                assert int(length) == len(data)
            for _ in range(
                50
            ):  # the server went away and is back: a write or two may be lost, then it is well
                syslog.write(INCIDENT)
                time.sleep(0.01)
            again, _ = server.accept()
            again.close()
        else:
            data = server.recv(4000)
        assert data.startswith(b"<105>1 ")
        syslog.close()
    if kind != "udp":
        with pytest.raises(OSError, match=r"\w"):
            Syslog(address, "srv1").write(INCIDENT)


@pytest.mark.parametrize(
    "address", ["", "srv1", "http://srv1", "udp://", "unix://", "udp://h:port", "tcp://[x"]
)
def test_what_is_no_syslog_server(address: str) -> None:
    with pytest.raises(BadSettings, match="no address of a syslog server"):
        Syslog(address, "srv1")


def test_ecs_has_its_fields(tmp_path: Path) -> None:
    document = to_ecs(INCIDENT, "srv1")
    assert document["@timestamp"] == INCIDENT["time"]
    assert document["event"]["kind"] == "alert"
    assert document["event"]["id"] == INCIDENT["id"]
    assert document["process"]["parent"] == {"pid": 1, "executable": "/sbin/init"}
    assert document["source"] == {"ip": "10.0.0.2", "domain": "pc-2"}
    assert document["user"] == {"name": "anne"}
    assert document["file"] == {"path": "/srv/patients/0.pdf", "name": "0.pdf"}
    assert to_ecs({**INCIDENT, "acts": False}, "h")["event"]["severity"] < document["event"]["severity"]
    cut = {"event": "action", "time": "t", "kind": "deny-address", "address": "10.0.0.2", "outcome": "denied"}
    assert to_ecs(cut, "h")["source"] == {"ip": "10.0.0.2"}
    assert to_ecs({**TROUBLE, "actor": {**ACTOR, "client": None, "container": "c1"}}, "h")["container"]

    path = tmp_path / "vigie.json"
    sink = EcsFile(str(path), "srv1")
    sink.write({**INCIDENT, "files": [HOSTILE]})
    path.rename(tmp_path / "vigie.json.1")  # as a log rotation does
    sink.write(TROUBLE)
    sink.close()
    [first] = (tmp_path / "vigie.json.1").read_text().splitlines()
    assert json.loads(first)["file"]["path"] == HOSTILE
    [second] = path.read_text().splitlines()
    assert json.loads(second)["event"]["action"] == "trouble"
    assert path.stat().st_mode & 0o777 == 0o640


class Broken:
    name = "broken"

    def __init__(self) -> None:
        self.works = False
        self.got: list[object] = []

    def write(self, event: object) -> None:
        if not self.works:
            raise OSError(111, "refused")
        self.got.append(event)

    def close(self) -> None:
        self.works = False


def test_a_program_that_does_not_listen_is_said_once(tmp_path: Path) -> None:
    troubles, broken = list[str](), Broken()
    machines = Machines([broken, EcsFile(str(tmp_path / "f"), "h")], troubles.append)
    for _ in range(5):
        machines.tell(INCIDENT)
    machines.tell({"event": "baseline"})
    eventually(
        lambda: len((tmp_path / "f").read_text().splitlines()) == 5 if (tmp_path / "f").exists() else False
    )
    assert troubles == ["broken: refused"]
    broken.works = True
    machines.tell(INCIDENT)
    machines.close()
    assert len(broken.got) == 1


def test_the_test_message(tmp_path: Path, hook: tuple[str, list[dict[str, Any]]]) -> None:
    address, got = hook
    urls = tmp_path / "urls"
    urls.write_text(f"{address}/yes\n")
    urls.chmod(0o600)
    chosen = tmp_path / "vigie.toml"
    words = f'[guard.alerts]\nurls_file = "{urls}"\necs_file = "{tmp_path}/ecs"\nlanguage = "en"\n'
    chosen.write_text(words)
    done = CliRunner().invoke(command, ["--settings", str(chosen)], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert done.output.count("sent") == 2
    assert got[0]["title"].startswith("Test message of Vigie")
    urls.write_text(f"{address}/yes\n{address}/no\n")
    failed = CliRunner().invoke(command, ["--settings", str(chosen), "--json"], standalone_mode=False)
    assert failed.return_value == 2
    assert json.loads(failed.output.splitlines()[-1]) == {"summary": {"sent": 2, "failed": 1}}
    chosen.write_text(words + 'syslog = "unix:///nowhere/log"\n')
    nobody = CliRunner().invoke(command, ["--settings", str(chosen)], standalone_mode=False)
    assert "No such file" in nobody.output
    chosen.write_text("")
    with pytest.raises(BadSettings, match="nobody is to be told"):
        CliRunner().invoke(
            command, ["--settings", str(chosen)], standalone_mode=False, catch_exceptions=False
        )
