"""A real Samba server and its clients, each in a network namespace of its own that the run makes and removes.

Nothing here touches the machine's own addresses, rules or shares: the server listens in its namespace, and
what `vigie guard` denies there is denied nowhere else.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

USERS = ("backup", "news", "games", "irc")
"""Accounts that every Debian has, one a client; with a password in the server's own file only."""
PASSWORD = "only in this test"
MISSING = ("smbd", "smbclient", "pdbedit", "smbstatus", "nft", "ip")
"""Programs that it takes."""


def missing() -> str:
    """What keeps it from running here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces are for root only"
    return ", ".join(name for name in MISSING if shutil.which(name) is None)


class Client:
    """A machine in the network of the server."""

    def __init__(self, number: int, namespace: str, server: "Server") -> None:
        self.namespace = namespace
        self.address = f"10.77.{number}.2"
        self.user = USERS[number]
        self._host = f"10.77.{number}.1"
        self._server = server

    def words(self, *more: str) -> list[str]:
        """The command line of smbclient on this machine."""
        return [
            *("ip", "netns", "exec", self.namespace, "smbclient", f"//{self._host}/{self._server.share}"),
            *("-s", str(self._server.config), "-U", f"{self.user}%{PASSWORD}", *more),
        ]

    def start(self, *more: str) -> subprocess.Popen[str]:
        """An smbclient that reads its commands from a pipe."""
        return subprocess.Popen(
            self.words(*more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def do(self, commands: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
        """Run commands (`put a b; get c`), and wait."""
        return subprocess.run(
            self.words("-c", commands), capture_output=True, text=True, timeout=seconds, check=False
        )


class Server:
    """smbd in a namespace. `share` is the name of the share, `folder` what it shares."""

    share = "patients"

    def __init__(self, place: Path, clients: int = 2) -> None:
        self.place = place
        self.folder = place / "share"
        self.config = place / "smb.conf"
        self.namespace = f"vigie-{os.getpid()}-s"
        self.clients = [Client(n, f"vigie-{os.getpid()}-{n}", self) for n in range(clients)]
        self._smbd: subprocess.Popen[bytes] | None = None

    def words(self, *command: str | Path) -> list[str]:
        """A command in the network of the server."""
        return ["ip", "netns", "exec", self.namespace, *map(str, command)]

    def __enter__(self) -> Self:
        try:
            self._network()
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _network(self) -> None:
        _ip("netns", "add", self.namespace)
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        for number, client in enumerate(self.clients):
            ours, theirs = f"s{number}", f"c{number}"
            _ip("netns", "add", client.namespace)
            _ip(
                *("link", "add", ours, "netns", self.namespace, "type", "veth"),
                *("peer", "name", theirs, "netns", client.namespace),
            )
            for space, name, end in ((self.namespace, ours, 1), (client.namespace, theirs, 2)):
                _ip("-n", space, "address", "add", f"10.77.{number}.{end}/30", "dev", name)
                _ip("-n", space, "link", "set", name, "up")
            _ip("-n", client.namespace, "link", "set", "lo", "up")

    def _start(self) -> None:
        folders = {name: self.place / name for name in ("private", "lock", "state", "cache", "pid", "rpc")}
        for folder in (*folders.values(), self.folder):
            folder.mkdir(exist_ok=True)
        self.config.write_text(
            f"""[global]
server role = standalone server
map to guest = never
load printers = no
disable spoolss = yes
private dir = {folders["private"]}
lock directory = {folders["lock"]}
state directory = {folders["state"]}
cache directory = {folders["cache"]}
pid directory = {folders["pid"]}
ncalrpc dir = {folders["rpc"]}
log file = {self.place}/log.%m

[{self.share}]
path = {self.folder}
read only = no
force user = root
"""
        )
        for client in self.clients:
            add = ["pdbedit", "-s", str(self.config), "-a", "-u", client.user, "-t"]
            subprocess.run(add, input=f"{PASSWORD}\n" * 2, text=True, capture_output=True, check=True)
        self._smbd = subprocess.Popen(
            self.words("smbd", "-F", "--no-process-group", "-s", self.config),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 10
        while self.clients[0].do("ls").returncode:
            if time.monotonic() > until:
                raise TimeoutError("smbd does not answer")
            time.sleep(0.1)

    def _end(self) -> None:
        if self._smbd is not None:
            # Those that the guard froze as well: killed, not asked.
            subprocess.run(["pkill", "-KILL", "-f", f"smbd .*{self.config}"], check=False)
            self._smbd.wait(10)
        for space in (self.namespace, *(client.namespace for client in self.clients)):
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)


@contextmanager
def samba(place: Path, clients: int = 2) -> Iterator[Server]:
    """A server below `place`, a folder of the run's own."""
    with Server(place, clients) as server:
        yield server


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def commands(puts: Sequence[tuple[Path, str]]) -> str:
    """Commands for smbclient that put local files under names on the share."""
    return "".join(f'put "{local}" "{name}"\n' for local, name in puts)
