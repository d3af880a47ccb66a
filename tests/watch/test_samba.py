import json
import os
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import Client, Process
from vigie.watch.actions import Outcome
from vigie.watch.samba.clients import Identify, SambaClients
from vigie.watch.samba.cut import CloseShare, KillClient
from vigie.watch.samba.peers import parse as lines
from vigie.watch.samba.peers import peers_of
from vigie.watch.samba.status import Session, parse, sessions

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 02:000AFBE5 00000000     0        0"


@pytest.mark.parametrize(
    ("end", "address"),
    [
        ("0200000A:C000", "10.0.0.2"),
        ("0000000000000000FFFF00000200000A:C000", "10.0.0.2"),
        ("B80D0120000000000000000007000000:C000", "2001:db8::7"),
    ],
)
def test_the_peer_of_a_socket(end: str, address: str) -> None:
    [line] = lines(f"{HEAD}   4: 0100007F:01BD {end} 01 {REST} 1399315 2 0 20 4 15 18 -1\n")
    assert (str(line.peer), line.port, line.state, line.inode) == (address, 445, "01", "1399315")


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_a_table_of_anything_is_read_or_passed_over(text: str) -> None:
    for line in lines(HEAD + text):
        assert line.port >= 0


def test_who_is_connected_to_this_very_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client, server.accept()[0]:
            assert peers_of(os.getpid()) == ("127.0.0.1",)
            del client
        assert peers_of(os.getpid()) == ()
    assert peers_of(2**22 + 1) == ()


def status(pid: object, **session: object) -> dict[str, object]:
    return {"server_id": {"pid": pid}, **session}


def test_what_samba_says() -> None:
    told = {
        "sessions": {
            "1": status("7", username="anne", remote_machine="pc-2", hostname="ipv4:10.0.0.2:60400"),
            "2": status("8", username="x\x1b[31m\n", remote_machine=7, hostname="ipv6:2001:db8::7:445"),
            "3": status("many"),
            "4": "odd",
            "5": {"server_id": "odd"},
        },
        "tcons": {
            "1": status("7", service="patients"),
            "2": status("7", service="images"),
            "3": status("7", service="patients"),
            "4": 1,
        },
    }
    assert parse(json.dumps(told).encode()) == (
        Session(7, "10.0.0.2", "anne", "pc-2", ("patients", "images")),
        Session(8, "2001:db8::7", "x\x1b[31m\n", "", ()),
    )


@pytest.mark.parametrize(
    "said", [b"", b"\xff", b"[]", b"{}", b'{"sessions": []}', b"[" * 100_000, b"Samba version 4.9\n"]
)
def test_what_is_no_status(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(said)


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))
)
@settings(max_examples=150, deadline=None)
def test_sessions_may_hold_anything(value: object) -> None:
    data = {"sessions": {"1": value, "2": status(value, username=value)}, "tcons": value}
    for session in parse(json.dumps(data).encode()):
        assert session.pid >= 0


def program(tmp_path: Path, body: str) -> tuple[str]:
    path = tmp_path / "smb-program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return (str(path),)


def test_a_status_that_hangs_fails_or_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        sessions(program(tmp_path, "exec sleep 60"), seconds=0.2)
    with pytest.raises(OSError, match="ended with 3"):
        sessions(program(tmp_path, "exit 3"))
    with pytest.raises(OSError, match="No such file"):
        sessions((str(tmp_path / "none"),))
    with pytest.raises(ValueError, match="more than"):
        sessions(program(tmp_path, "exec head -c 40000000 /dev/zero"))
    assert sessions(program(tmp_path, """echo '{"sessions": {}}'""")) == ()


SMBD = Process(7, 70, "/usr/sbin/smbd")


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_address_at_once_and_the_user_later() -> None:
    asked = threading.Event()

    def ask() -> tuple[Session, ...]:
        asked.wait(5)
        return (Session(7, "10.0.0.2", "anne", "pc-2", ("patients",)),)

    clients = SambaClients(ask, lambda _: ("10.0.0.2",))
    try:
        assert clients.behind(SMBD) == Client("10.0.0.2")
        assert clients.behind(Process(8, 80, "/usr/bin/python3")) is None
        assert clients.named("10.0.0.2", 0.05) == ()
        asked.set()
        full = Client("10.0.0.2", "anne", "pc-2", "patients")
        assert clients.named("10.0.0.2") == (full,)
        assert clients.behind(SMBD) == full
        outcome = Identify(clients).do({"address": "10.0.0.2"})
        assert outcome == Outcome(False, "user anne on pc-2, share patients")
        assert not Identify(clients).undo({}).in_force
    finally:
        clients.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (TimeoutError("smbstatus did not answer"), "did not answer"),
        (ValueError("no sessions in it"), "no sessions"),
        ((Session(9, "10.0.0.9", "other", "", ()),), "no session of it"),
        ((Session(7, "10.0.0.9", "another address", "", ()),), "no session of it"),
    ],
)
def test_nobody_is_named_without_samba_s_word(answer: object, why: str) -> None:
    def ask() -> tuple[Session, ...]:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, tuple)
        return answer

    clients = SambaClients(ask, lambda _: ("10.0.0.2",))
    try:
        assert clients.behind(SMBD) == Client("10.0.0.2")
        outcome = Identify(clients).do({"address": "10.0.0.2"})
        assert not outcome.done
        assert why in outcome.words
    finally:
        clients.close()


def test_an_smbd_that_serves_nobody_is_a_process() -> None:
    clients = SambaClients(lambda: (), lambda _: ())
    try:
        assert clients.behind(SMBD) is None
    finally:
        clients.close()


def test_thousands_of_connections_are_not_all_remembered() -> None:
    clients = SambaClients(lambda: (), lambda pid: (str(ip_address(pid)),))
    try:
        for pid in range(1, 6000):
            clients.behind(Process(pid, 1, "/usr/sbin/smbd"))
        eventually(lambda: len(clients._known) <= 4096)
    finally:
        clients.close()


def test_cutting_says_what_it_did(tmp_path: Path) -> None:
    smbcontrol = program(tmp_path, 'echo "$@" >> "$0.said"')
    said = tmp_path / "smb-program.said"
    assert KillClient(smbcontrol).do({"address": "10.0.0.2"}) == Outcome(False, "its connections were ended")
    assert CloseShare(smbcontrol).do({"share": "a b; rm"}).done
    assert said.read_text() == "smbd kill-client-ip 10.0.0.2\nsmbd close-share a b; rm\n"
    assert not KillClient(smbcontrol).do({"address": "; reboot"}).done
    assert not KillClient((str(tmp_path / "none"),)).do({"address": "10.0.0.2"}).done
    failing = program(tmp_path, "echo no such daemon >&2; exit 1")
    assert "ended with 1: no such daemon" in CloseShare(failing).do({"share": "x"}).words
    for one in (KillClient(), CloseShare()):
        assert one.undo({}) == Outcome(False, "nothing to undo")
