"""What is done about an incident, and in which order: a table, sans-I/O.

| who | at once, in the guard's loop | then, one after the other, elsewhere |
|---|---|---|
| a process | freeze it, its program, its family (`family`), and the writer | what `[guard]` orders |
| an SMB client | freeze its smbd | deny its address, ask Samba who it is, cut it, let its smbd go; as above |
| one that is never cut | | ask Samba who it is; then as above |
| nobody known | | the last resort, if one is set; then as above |

Denying comes before cutting: a client reconnects by itself. A frozen smbd may keep files locked that others
need, so it goes on as soon as its client is cut off; where cutting fails, it stays frozen until that expires.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vigie.model import Process
from vigie.watch.actions import Measure
from vigie.watch.detector import Incident
from vigie.watch.family import program_of


@dataclass(frozen=True, slots=True)
class Plan:
    """Measures against one incident."""

    stop: tuple[Process, ...] = ()
    """Frozen at once."""
    then: tuple[Measure, ...] = ()
    """Taken in this order."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the settings say."""

    contain: bool = False
    """Whether anybody may be stopped."""
    last_resort: tuple[Measure, ...] = ()
    """Where nobody can be named: close a share, make a mount read-only."""
    always: tuple[Measure, ...] = ()
    """After each incident that acts: seal the vault, own commands."""
    spares: Callable[[str], bool] = lambda _: False
    """Whether the client of an address is never cut off, only told of."""


def cut(address: str) -> tuple[Measure, ...]:
    """How an SMB client is cut off."""
    target = {"address": address}
    return (Measure("deny-address", target), Measure("identify", target), Measure("kill-client", target))


def plan(incident: Incident, writer: Process | None, orders: Orders) -> Plan:
    """What to do about an incident that was just opened."""
    if not incident.acts:
        return Plan()
    if not orders.contain:
        return Plan(then=orders.always)
    actor = incident.actor
    if actor is None:
        return Plan(then=orders.last_resort + orders.always)
    if actor.client is not None and orders.spares(actor.client.address):
        return Plan(then=(Measure("identify", {"address": actor.client.address}), *orders.always))
    stop = tuple(dict.fromkeys(p for p in (writer, actor.process) if p is not None))
    if actor.client is not None:
        return Plan(stop, cut(actor.client.address) + orders.always)
    return Plan(tuple(dict.fromkeys((*stop, program_of(actor)))), orders.always)


def again(writer: Process | None, address: str | None, orders: Orders) -> Plan:
    """What to do about one more file of an incident: `address` is that of the client who wrote it, if any."""
    if not orders.contain or writer is None or (address and orders.spares(address)):
        return Plan()
    return Plan((writer,), (Measure("kill-client", {"address": address}),) if address else ())
