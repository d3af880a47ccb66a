"""Events for a SIEM in the Elastic Common Schema (version 8.11): one JSON object a line, appended to a file.

Field names: the ECS field reference, sections Base, Event, Process, Source, User, File, Rule, Host, Observer.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from vigie import __version__

VERSION = "8.11.0"
_CATEGORY = {
    "incident": ("alert", ["malware", "intrusion_detection"], ["info"]),
    "verdict": ("event", ["file"], ["change"]),
    "action": ("event", ["process", "network"], ["info"]),
    "trouble": ("event", ["host"], ["error"]),
}
_SEVERITY = {"incident": 90, "verdict": 60, "action": 50, "trouble": 40}
"""0 to 100; ECS leaves the scale to whoever writes."""
_SPARED = 30
"""Of an incident about which people are only told."""


def to_ecs(event: Mapping[str, Any], host: str) -> dict[str, Any]:
    """One event of the guard as a document of ECS; what it has no field for stands under `vigie`."""
    name = str(event["event"])
    kind, category, types = _CATEGORY.get(name, ("event", ["host"], ["info"]))
    severity = _SEVERITY.get(name, 10) if event.get("acts", True) else _SPARED
    document: dict[str, Any] = {
        "@timestamp": event["time"],
        "ecs": {"version": VERSION},
        "message": str(event.get("reason") or event.get("outcome") or event.get("problem") or name),
        "event": {
            "kind": kind,
            "category": category,
            "type": types,
            "action": str(event.get("kind") or name),
            "severity": severity,
            "module": "vigie",
            "dataset": "vigie.guard",
        },
        "host": {"hostname": host},
        "observer": {"product": "Vigie", "type": "hids", "version": __version__},
        "vigie": {key: value for key, value in event.items() if key not in ("time", "actor")},
    }
    if identifier := event.get("id") or event.get("incident"):
        document["event"]["id"] = identifier
    if path := event.get("path") or next(iter(event.get("files") or ()), None):
        document["file"] = {"path": path, "name": os.path.basename(path)}
    if address := event.get("address"):
        document["source"] = {"ip": address}
    if actor := event.get("actor"):
        document |= _actor(actor)
    return document


def _actor(actor: Mapping[str, Any]) -> dict[str, Any]:
    process = {"pid": actor["pid"], "executable": actor["executable"]}
    if command := actor.get("command"):
        process |= {"args": list(command), "command_line": " ".join(command)}
    if parents := actor.get("parents"):
        process["parent"] = {"pid": parents[0]["pid"], "executable": parents[0]["executable"]}
    fields: dict[str, Any] = {"process": process, "user": {"name": actor.get("user", "")}}
    if client := actor.get("client"):
        fields["source"] = {"ip": client["address"], "domain": client.get("machine", "")}
        fields["user"] = {"name": client.get("user", "")}
    if container := actor.get("container"):
        fields["container"] = {"id": container}
    return fields


class EcsFile:
    """Appends to a file, and opens it anew when a log rotation has moved it away."""

    def __init__(self, path: str, host: str) -> None:
        self._path, self._host = path, host
        self._fd = -1

    @property
    def name(self) -> str:
        """For people."""
        return self._path

    def write(self, event: Mapping[str, Any]) -> None:
        """One line.

        Raises:
            OSError: it cannot be written.
        """
        if self._fd >= 0 and not self._same():
            self.close()
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o640)
        # ASCII, one write: lines of two writers do not mix, and a name in Latin-1 cannot break the file.
        os.write(self._fd, json.dumps(to_ecs(event, self._host)).encode("ascii") + b"\n")

    def close(self) -> None:
        """Let go of it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _same(self) -> bool:
        try:
            there, here = os.stat(self._path), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
