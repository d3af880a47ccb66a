"""Alerts to people through apprise: e-mail, webhooks, SMS gateways and a hundred others.

A thread of its own sends; the guard puts an event into a queue and goes on. Addresses hold passwords: they
are read from a file that others cannot read, and never shown, logged or journaled.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from vigie.errors import BadSettings
from vigie.watch.alerts.limits import Limits, Message
from vigie.watch.alerts.words import text

TOLD = frozenset({"incident", "action", "trouble"})
"""Events that people are told of."""
_QUEUE = 1000
_TRIES, _AGAIN = 5, (2.0, 10.0, 60.0, 300.0)
"""How often a message is sent, and seconds in between."""
_UNSENT = 100
"""Messages that wait for a service that does not answer; beyond, the oldest are dropped, and that is said."""

Send = Callable[[str, str], Sequence[str]]
"""Sends subject and body; the services that failed, without what is secret of them."""


class People:
    """Tells people. `trouble` takes what could not be sent, from the thread; call `close` at the end."""

    def __init__(
        self,
        send: Send,
        trouble: Callable[[str], None],
        language: str,
        host: str,
        contact: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._trouble, self._clock = send, trouble, clock
        self._language, self._host, self._contact = language, host, contact
        self._queue: Queue[dict[str, Any] | None] = Queue(_QUEUE)
        self._limits = Limits()
        self._unsent: list[tuple[float, int, Message]] = []
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def tell(self, event: dict[str, Any]) -> None:
        """An event of the guard; never waits."""
        if event["event"] in TOLD and not (event["event"] == "trouble" and not event["problem"]):
            try:
                self._queue.put_nowait(event)
            except Full:
                self._dropped += 1

    def close(self, seconds: float = 5.0) -> None:
        """Send what is left, for at most so long."""
        try:
            self._queue.put(None, timeout=seconds)
        except Full:
            return
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=1.0)
            except Empty:
                self._housekeeping()
                continue
            if event is None:
                break
            if (message := self._limits.take(event, self._clock())) is not None:
                self._try(message, 0)
            self._housekeeping()
        for message in self._limits.rest(self._clock()):
            self._try(message, _TRIES)
        for _, _, message in self._unsent:
            self._try(message, _TRIES)

    def _housekeeping(self) -> None:
        now = self._clock()
        for message in self._limits.due(now):
            self._try(message, 0)
        due = [entry for entry in self._unsent if entry[0] <= now]
        self._unsent = [entry for entry in self._unsent if entry[0] > now]
        for _, tries, message in due:
            self._try(message, tries)

    def _try(self, message: Message, tries: int) -> None:
        subject, body = text(message, self._language, self._host, self._contact)
        try:
            failed = self._send(subject, body)
        except Exception as error:  # noqa: BLE001 - a plugin that breaks must not end the thread that tells people
            failed = (type(error).__name__,)
        if not failed:
            return
        self._trouble(f"not told through {', '.join(failed)}")
        if tries < len(_AGAIN):
            self._unsent.append((self._clock() + _AGAIN[tries], tries + 1, message))
            del self._unsent[:-_UNSENT]


def urls_of(path: str) -> tuple[str, ...]:
    """The addresses in a file, one a line; empty lines and `#` are passed over.

    Raises:
        BadSettings: it cannot be read, or others can read it.
    """
    try:
        mode = os.stat(path).st_mode
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSettings(path, f"the addresses for alerts cannot be read: {why}", "Mend it.") from error
    if stat.S_IMODE(mode) & 0o077:
        remedy = f"Run: chmod 600 {path}"
        raise BadSettings(path, "others can read it, and it holds passwords", remedy)
    return tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def through_apprise(urls: Sequence[str]) -> Send:
    """A `Send` that uses apprise.

    Raises:
        BadSettings: apprise does not know such an address; only its number in the file is said.
    """
    import apprise  # noqa: PLC0415 - half a second, and only where people are told

    services = []
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(url)
        if service is None:
            remedy = "See the documentation of apprise for how addresses are written."
            raise BadSettings(f"address {number} for alerts", "apprise does not understand it", remedy)
        services.append((f"{service.service_name} (address {number})", service))

    def send(subject: str, body: str) -> list[str]:
        return [
            name
            for name, service in services
            if not service.notify(body=body, title=subject, notify_type=apprise.NotifyType.WARNING)
        ]

    return send
