"""Who is behind an smbd: the address at once, user and machine as soon as Samba has said so.

The guard asks in its hot path. The address comes from the kernel; `smbstatus`, which may take its time or
hang, is run by a thread whenever an smbd shows up of which it has not told yet.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from os.path import basename

from vigie.model import Client, Process
from vigie.watch.actions import Outcome, Target
from vigie.watch.samba.peers import peers_of
from vigie.watch.samba.status import Session, sessions

_KNOWN = 4096
"""Connections remembered."""
_PAUSE = 0.2
"""Seconds between two runs of smbstatus: a rush of clients must not make a rush of programs."""
_WAIT = 1.0
"""Seconds for which a name is waited for, in the thread that takes measures."""

Key = tuple[int, int]


class SambaClients:
    """Implements `triage.Clients`. Call `close` at the end.

    Args:
        ask: what tells every connection now; see `status.sessions` for what it raises.
        peers: the addresses behind a process.
    """

    def __init__(
        self,
        ask: Callable[[], Sequence[Session]] = sessions,
        peers: Callable[[int], tuple[str, ...]] = peers_of,
    ) -> None:
        self._ask, self._peers = ask, peers
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, Client] = OrderedDict()
        self._unnamed: dict[Key, float] = {}
        """Connections of which Samba has not told, and until when it is asked again."""
        self._problem = ""
        self._asked = threading.Event()
        self._answered = threading.Condition(self._lock)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="smbstatus", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why nobody is named beyond the address, if it is so."""
        return self._problem

    def behind(self, process: Process) -> Client | None:
        """The client that this process works for, from what is known at once."""
        if basename(process.executable) != "smbd":
            return None
        key = (process.pid, process.started)
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        addresses = self._peers(process.pid)
        if not addresses:
            return None
        client = Client(addresses[0])
        with self._lock:
            self._known[key] = client
            if len(self._known) > _KNOWN:
                self._unnamed.pop(self._known.popitem(last=False)[0], None)
            self._unnamed[key] = time.monotonic() + 5 * _PAUSE
        self._asked.set()
        return client

    def named(self, address: str, seconds: float = _WAIT) -> tuple[Client, ...]:
        """The connections of an address with their users; waits for Samba's answer at most so long."""
        until = time.monotonic() + seconds
        with self._answered:
            while (left := until - time.monotonic()) > 0 and not self._closing:
                of = [key for key, client in self._known.items() if client.address == address]
                if of and not any(key in self._unnamed for key in of):
                    break
                self._asked.set()
                self._answered.wait(left)
            return tuple(c for c in self._known.values() if c.address == address and (c.user or c.machine))

    def close(self) -> None:
        """End the thread."""
        with self._answered:
            self._closing = True
            self._answered.notify_all()
        self._asked.set()
        self._thread.join(_WAIT)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._closing:
                return
            try:
                told: Sequence[Session] = self._ask()
                self._problem = ""
            except (OSError, ValueError) as error:
                told, self._problem = (), str(error)
            self._take({session.pid: session for session in told})
            time.sleep(_PAUSE)

    def _take(self, told: dict[int, Session]) -> None:
        now = time.monotonic()
        with self._answered:
            for key, until in list(self._unnamed.items()):
                session, client = told.get(key[0]), self._known.get(key)
                if session is not None and client is not None and session.address in ("", client.address):
                    share = ", ".join(session.shares)
                    self._known[key] = Client(client.address, session.user, session.machine, share)
                    del self._unnamed[key]
                elif until <= now or self._problem:
                    del self._unnamed[key]
                else:
                    self._asked.set()
            self._answered.notify_all()


class Identify:
    """Actuator "identify": writes down who a client says it is, while its connection is there to be asked."""

    kind = "identify"

    def __init__(self, clients: SambaClients) -> None:
        self._clients = clients

    def do(self, target: Target) -> Outcome:
        """The users and machines behind an address; waits a second for Samba at most."""
        address = str(target["address"])
        found = self._clients.named(address)
        if not found:
            why = self._clients.problem or "Samba has no session of it"
            return Outcome(False, f"no user is known: {why}", False)
        words = dict.fromkeys(_words(client) for client in found)
        return Outcome(False, "; ".join(words))

    def undo(self, target: Target) -> Outcome:
        """Nothing to undo."""
        del target
        return Outcome(False, "nothing to undo")


def _words(client: Client) -> str:
    share = f", share {client.share}" if client.share else ""
    return f"user {client.user or 'unknown'} on {client.machine or 'an unnamed machine'}{share}"
