"""Figures for Prometheus, by its own client: a text file for node_exporter, or HTTP on an address of ours.

No label holds anything that an attacker can choose: no path, no process, no address.
"""

import threading
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server, write_to_textfile

from vigie.watch.standing import Standing

_STATES = ("encrypted", "damaged", "intact", "unknown")


class Metrics:
    """A listener of the guard's events, and a picture of its standing."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._verdicts = Counter("vigie_verdicts", "Files found so", ["state"], registry=registry)
        self._incidents = Counter("vigie_incidents", "Incidents opened", ["acts"], registry=registry)
        self._actions = Counter("vigie_actions", "Measures taken", ["kind", "in_force"], registry=registry)
        self._overflows = Counter("vigie_overflows", "Times events were lost", registry=registry)
        self._rescans = Counter("vigie_rescans", "Times the folders were read again", registry=registry)
        self._troubles = Counter("vigie_troubles", "Times something stopped working", registry=registry)
        self._gauges = {
            name: Gauge(f"vigie_{name}", words, registry=registry)
            for name, words in (
                ("queue", "Files that wait for the judge"),
                ("held", "Processes that wait for a verdict"),
                ("frozen", "Processes that are frozen"),
                ("scanned_files", "Files looked at by the last scan"),
                ("scanning", "Whether the folders are being read"),
                ("up_since_seconds", "When the guard started, Unix time"),
            )
        }
        for state in _STATES:
            self._verdicts.labels(state)
        for acts in ("yes", "no"):
            self._incidents.labels(acts)

    def tell(self, event: dict[str, Any]) -> None:
        """Count an event."""
        match event["event"]:
            case "verdict":
                self._verdicts.labels(event["verdict"] if event["verdict"] in _STATES else "other").inc()
            case "incident":
                self._incidents.labels("yes" if event.get("acts", True) else "no").inc()
            case "action":
                self._actions.labels(event["kind"], "yes" if event["in_force"] else "no").inc()
            case "overflow":
                self._overflows.inc()
            case "rescan":
                self._rescans.inc()
            case "trouble" if event["problem"]:
                self._troubles.inc()

    def look(self, standing: Standing) -> None:
        """Take over a standing."""
        for name, value in (
            ("queue", standing.queue),
            ("held", standing.held),
            ("frozen", standing.frozen),
            ("scanned_files", standing.files),
            ("scanning", int(standing.scanning)),
            ("up_since_seconds", standing.since_ns / 1e9),
        ):
            self._gauges[name].set(value)

    def write(self, path: Path) -> None:
        """Replace the text file as a whole.

        Raises:
            OSError: it cannot be written.
        """
        write_to_textfile(str(path), self.registry)

    def serve(self, address: str, port: int) -> "tuple[Any, threading.Thread]":
        """Answer on an address; the server and its thread.

        Raises:
            OSError: the address is taken, or not ours.
        """
        return start_http_server(port, address, self.registry)
