"""Who answers for what a process does: itself, those that started it, or the client behind it."""

from os.path import basename

from vigie.model import Actor

ProcessKey = tuple[int, int]
"""Identity of a process: pid and start."""
Key = ProcessKey | tuple[str, str]
"""Identity of an actor: a process, or `("smb", address)`."""
Link = tuple[Key, Actor | None]

NOBODY: Key = (0, 0)
"""All that cannot be attributed."""

_SERVICES = frozenset(
    {"smbd", "sshd", "systemd", "cron", "crond", "atd", "nfsd", "proftpd", "vsftpd", "xrdp"}
)
"""Programs whose children belong to different people: freezing one for another's deeds stops a hospital."""


def chain_of(actor: Actor | None) -> list[Link]:
    """Who answers for an actor's deeds, nearest first: the process and its parents, up to the first service.

    Behind a file server it is the client, by its address, through however many connections it comes.
    """
    if actor is None:
        return [(NOBODY, None)]
    if actor.client is not None:
        return [(("smb", actor.client.address), actor)]
    line = (actor.process, *actor.parents)
    chain: list[Link] = []
    for number, process in enumerate(line):
        if number and (process.pid <= 2 or basename(process.executable) in _SERVICES):
            break
        above = Actor(process, line[number + 1 :], unit=actor.unit, container=actor.container)
        chain.append(((process.pid, process.started), above))
    return chain


def line_of(actor: Actor) -> tuple[ProcessKey, ...]:
    """The processes that can be made to wait for an actor, nearest first."""
    if actor.client is not None:
        return ((actor.process.pid, actor.process.started),)
    return tuple((link.process.pid, link.process.started) for _, link in chain_of(actor) if link is not None)
