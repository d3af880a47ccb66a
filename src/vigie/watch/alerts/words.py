"""What an alert says, in French and English: what happened, who, what Vigie did, what to do now.

Names of files, machines and users are hostile: they come out on one line, without control characters, and no
mark-up is ever used.
"""

from collections.abc import Callable, Mapping
from typing import Any

from vigie.watch.alerts.limits import Message

_NAMED = 5
"""Files that a message names."""
_LONGEST = 200
"""Characters of one name."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "acts": "Attaque en cours sur {host} : {reason}",
        "tells": "À vérifier sur {host} : {reason}",
        "action": "Vigie sur {host} : {what}",
        "trouble": "Vigie sur {host} ne va pas bien : {what}",
        "test": "Message d’essai de Vigie sur {host}",
        "test.body": "Si vous lisez ceci, les alertes de Vigie arrivent.",
        "more": "{n} autres messages de ce genre : `vigie incidents`",
        "when": "Quand : {time}",
        "who": "Qui : {who}",
        "nobody": "on ne sait pas",
        "files": "Fichiers ({count}) :",
        "id": "Incident {id}. Tout défaire : vigie release {id}",
        "next": "À faire maintenant : 1. Isolez cette machine ou ce poste du réseau, sans l’éteindre. "
        "2. N’effacez aucune sauvegarde. 3. Appelez votre responsable informatique.",
        "check": "À faire : demandez à cette personne si c’est bien elle. Rien n’a été bloqué.",
        "contact": "À appeler : {contact}",
    },
    "en": {
        "acts": "Attack under way on {host}: {reason}",
        "tells": "To be checked on {host}: {reason}",
        "action": "Vigie on {host}: {what}",
        "trouble": "Vigie on {host} is not well: {what}",
        "test": "Test message of Vigie on {host}",
        "test.body": "If you read this, the alerts of Vigie arrive.",
        "more": "{n} more messages of this kind: `vigie incidents`",
        "when": "When: {time}",
        "who": "Who: {who}",
        "nobody": "not known",
        "files": "Files ({count}):",
        "id": "Incident {id}. To undo everything: vigie release {id}",
        "next": "To do now: 1. Take this machine or PC off the network, without switching it off. "
        "2. Delete no backup. 3. Call whoever looks after your computers.",
        "check": "To do: ask that person whether it was them. Nothing was stopped.",
        "contact": "To be called: {contact}",
    },
}


def text(message: Message, language: str, host: str, contact: str = "") -> tuple[str, str]:
    """Subject (one line) and body of a message."""
    words = WORDS[language]

    def say(key: str, **fill: Any) -> str:
        return words[key].format(**{name: plain(value) for name, value in fill.items()})

    parts = [_of(event, say, host) for event in message.events]
    subject = parts[0][0] if parts else say("test", host=host)
    bodies = [f"{head}\n{body}".rstrip() for head, body in parts]
    if message.more:
        bodies.append(say("more", n=message.more))
    if contact:
        bodies.append(say("contact", contact=contact))
    return subject, "\n\n".join(bodies) + "\n"


def plain(value: object) -> str:
    """On one line, without what steers a terminal, a mail header or the direction of writing."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value)[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def who(actor: Mapping[str, Any] | None) -> str:
    """An actor in a few words, or nothing."""
    if actor is None:
        return ""
    if client := actor.get("client"):
        known = (client.get("machine"), client.get("user"), client.get("share"))
        return ", ".join([str(client.get("address")), *(str(word) for word in known if word)])
    return f"{actor.get('executable')}, pid {actor.get('pid')}, {actor.get('user')}"


def _of(event: Mapping[str, Any], say: Callable[..., str], host: str) -> tuple[str, str]:
    kind = event["event"]
    if kind == "incident":
        acts = event.get("acts", True)
        head = say("acts" if acts else "tells", host=host, reason=event["reason"])
        files = [f"  {plain(path)}" for path in event["files"][:_NAMED]]
        lines = [
            say("when", time=event["time"]),
            say("who", who=who(event["actor"]) or say("nobody")),
            say("files", count=event["count"]),
            *files,
            say("id", id=event["id"]),
            say("next" if acts else "check"),
        ]
        return head, "\n".join(lines)
    if kind == "action":
        target = " ".join(
            str(event[key]) for key in ("executable", "pid", "address", "share", "mount") if key in event
        )
        what = f"{event['kind']} {target}: {event['outcome']}"
        return say("action", host=host, what=what), say("when", time=event["time"])
    if kind == "trouble":
        what = f"{event['what']}: {event['problem']}"
        return say("trouble", host=host, what=what), plain(event.get("remedy", ""))
    return say("test", host=host), say("test.body")
