"""The rules beyond the first two, told as facts; the benign twins stay quiet."""

from collections.abc import Callable, Iterable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.journal import Row
from vigie.judge.note import asks_for_ransom
from vigie.model import Actor, Client, Likeness, Process, State, Verdict
from vigie.watch.detector import Detector, Opened
from vigie.watch.facts import Deleted, Fact, Observation, Renamed, Touched, from_body, to_body
from vigie.watch.replay import answer_body, answer_of, replay
from vigie.watch.rules.all import all_rules
from vigie.watch.rules.renames import strange_ending

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE
INIT = Process(1, 1, "/sbin/init", user="root")


def who(pid: int = 10, program: str = "", user: str = "anne") -> Actor:
    return Actor(Process(pid, pid * 10, program or f"/bin/p{pid}", user=user), (INIT,))


def smb(pid: int, address: str = "10.0.0.2") -> Actor:
    return Actor(Process(pid, pid * 10, "/usr/sbin/smbd"), (INIT,), Client(address))


def wrote(
    path: str,
    state: State,
    at: int = 0,
    actor: Actor | None = None,
    *,
    new: bool = False,
    digest: str = "",
    asks: bool = False,
    kind: str | None = None,
    random: float = 0.0,
) -> Observation:
    before = None if new else Likeness(State.INTACT, "pdf", 100, 0.0, b"")
    verdict = Verdict(state, likeness=Likeness(state, kind, 100, random, b""))
    return Observation(path, verdict, before, actor or who(), at, digest, asks)


def note(number: int, at: int = 0, actor: Actor | None = None, *, asks: bool = False) -> Observation:
    path = f"/d{number}/README.txt"
    return wrote(path, State.INTACT, at, actor, new=True, digest="n" * 64, asks=asks, kind="text")


def page(number: int, at: int = 0) -> Observation:
    return wrote(f"/db/{number}/0000", State.UNKNOWN, at, new=True, digest="0" * 64)


def hit(number: int, at: int = 0, actor: Actor | None = None) -> Observation:
    return wrote(f"/d/{number}.pdf", State.ENCRYPTED, at, actor, random=1.0)


def renamed(old: str, new: str, at: int = 0, actor: Actor | None = None) -> Renamed:
    return Renamed(new, old, actor or who(), at)


def gone(number: int, at: int = 0, actor: Actor | None = None) -> Deleted:
    return Deleted(f"/d/{number}.docx", actor or who(), at)


def container(number: int, at: int = 0, kind: str | None = "7z", actor: Actor | None = None) -> Observation:
    state = State.INTACT if kind else State.UNKNOWN
    return wrote(f"/out/{number}", state, at, actor, new=True, kind=kind, random=1.0)


def detector() -> Detector:
    numbers = count(1)
    return Detector(3, 3600.0, lambda _: f"i{next(numbers)}", all_rules())


def opened(facts: Iterable[Fact]) -> list[Opened]:
    judge = detector()
    return [d for fact in facts for d in judge.see(fact) if isinstance(d, Opened)]


DOCUMENTS = [f"/d/letter {n}.docx" for n in range(40)]
ENDINGS = (".bak", ".old", ".tmp", ".1", ".2026-11-24", "~", ".part", ".orig", ".dpkg-dist")

QUIET: dict[str, list[Fact]] = {
    "an installer puts one licence everywhere": [note(n, n) for n in range(500)],
    "a text asks for ransom once": [note(1, asks=True)],
    "a database's pages beside one broken file": [hit(0), *(page(n, n) for n in range(50))],
    "a photo import": [renamed(f"/p/IMG_{n}.JPG", f"/p/2026-11-24 {n}.jpg", n) for n in range(500)],
    "a log rotation": [renamed(f"/var/a{n}.log", f"/var/a{n}.log.1", n) for n in range(100)],
    "kept aside": [renamed(p, p + e, 0) for p in DOCUMENTS for e in ENDINGS],
    "uploads": [renamed(f"/d/{n}.pdf.part", f"/d/{n}.pdf", n) for n in range(100)],
    "moved to another folder": [renamed(p, p.replace("/d/", "/archive/") + ".x9", 0) for p in DOCUMENTS],
    "unknown to unknown": [renamed(f"/d/{n}.qq", f"/d/{n}.zz", n) for n in range(100)],
    "half a folder renamed by hand": [renamed(p, p + ".mine", 0) for p in DOCUMENTS[:19]],
    "slowly": [renamed(p, p + ".mine", n * MINUTE) for n, p in enumerate(DOCUMENTS)],
    "a folder is deleted": [gone(n, n) for n in range(1000)],
    "a backup": [container(n, n) for n in range(100)],
    "a zip sent off, and a tidy-up later": [container(1), *(gone(n, 31 * MINUTE) for n in range(50))],
    "a tidy-up beside one protected export": [container(1, kind="zip"), *(gone(n) for n in range(29))],
    "packing deletes its own pieces": [
        container(0),
        *(Deleted(f"/out/{n}", who(), n) for n in range(50)),
    ],
    "one zips, another deletes": [container(1, 0, "zip", who(10)), *(gone(n, 1, who(20)) for n in range(50))],
    "seven files in a week": [hit(n, n * DAY, who(100 + n, "/bin/x")) for n in range(7)],
    "hardly one a day": [hit(n, n * 26 * 60 * MINUTE, who(100 + n, "/bin/x")) for n in range(40)],
}


@pytest.mark.parametrize("facts", QUIET.values(), ids=QUIET.keys())
def test_normal_life_is_quiet(facts: list[Fact]) -> None:
    assert opened(facts) == []


LOUD: dict[str, tuple[list[Fact], str, bool]] = {
    "notes beside an encrypted file": (
        [hit(0), note(1), note(2), note(3)],
        "the same note, README.txt, was put into 3 folders",
        False,
    ),
    "notes beside renames": (
        [*(renamed(p, p + ".x9q") for p in DOCUMENTS[:3]), note(1), note(2), note(3)],
        "the same note",
        False,
    ),
    "a text that asks for ransom": (
        [note(1, asks=True), note(2, asks=True)],
        "a text that asks for ransom, README.txt, was put into 2 folders",
        False,
    ),
    "renames alone": (
        [renamed(p, p + ".x9q") for p in DOCUMENTS[:20]],
        "20 documents got the ending .x9q within 10 min",
        False,
    ),
    "instead of their endings": (
        [renamed(p, p.replace("docx", "x9q")) for p in DOCUMENTS[:20]],
        "ending .x9q",
        False,
    ),
    "renames and an encrypted file": (
        [hit(0), *(renamed(p, p + ".x9q") for p in DOCUMENTS[:3])],
        "3 documents got the ending .x9q within 10 min by who turned files into encrypted ones",
        True,
    ),
    "locked with 7z": ([container(1), *(gone(n) for n in range(30))], "30 documents were deleted", False),
    "locked into strangers": (
        [container(1, kind=None), *(gone(n) for n in range(30))],
        "containers that only a password opens",
        False,
    ),
    "one decoy": (
        [Touched("/!a.xlsx", "written", who(), 0)],
        "1 decoy was touched; the last was written",
        False,
    ),
    "a decoy and an encrypted file": (
        [hit(0), Touched("/!a.xlsx", "renamed", who(), 0)],
        "1 decoy was touched, and 1 file became encrypted",
        True,
    ),
    "a new process for each file, one every ten minutes": (
        [hit(n, n * 10 * MINUTE, who(100 + n, "/bin/x")) for n in range(8)],
        "8 files were turned into encrypted ones within 7 days",
        False,
    ),
    "a client, one a day": (
        [hit(n, n * 20 * 60 * MINUTE, smb(100 + n)) for n in range(8)],
        "8 files were turned",
        True,
    ),
}


@pytest.mark.parametrize(("facts", "reason", "acts"), LOUD.values(), ids=LOUD.keys())
def test_what_an_attack_does_is_told(facts: list[Fact], reason: str, acts: bool) -> None:
    [decision] = opened(facts)
    assert reason in decision.incident.reason
    assert decision.incident.acts is acts
    assert decision.incident.actor is not None
    assert decision.incident.files


def test_two_decoys_are_no_accident() -> None:
    told, acted = opened([Touched(f"/!{n}.xlsx", "deleted", who(), n) for n in range(2)])
    assert not told.incident.acts
    assert acted.incident.acts
    assert acted.incident.count == 2


def test_people_are_told_once_a_day() -> None:
    day = [renamed(f"/d/{n}.pdf", f"/d/{n}.pdf.mine", n) for n in range(300)]
    later = [renamed(f"/e/{n}.pdf", f"/e/{n}.pdf.mine", 25 * 60 * MINUTE + n) for n in range(30)]
    assert len(opened(day)) == 1
    assert len(opened(day + later)) == 2


def test_after_a_release_everything_is_counted_afresh() -> None:
    judge = detector()
    for fact in (hit(0), Touched("/!a", "written", who(), 0)):
        first = next(iter(judge.see(fact)), None)
    assert isinstance(first, Opened)
    judge.close(first.incident.id)
    assert judge.see(hit(1)) == ()

    child = Actor(Process(30, 300, "/bin/p30", user="anne"), (who(20).process, INIT))
    opened_by_child = [d for n in range(3) for d in judge.see(hit(n, 0, child))]
    [second] = opened_by_child
    assert isinstance(second, Opened)
    judge.close(second.incident.id)
    [told] = judge.see(Touched("/!a", "written", who(20), 0))  # its parent did nothing else
    assert isinstance(told, Opened)
    assert not told.incident.acts


def test_writers_are_kept_apart() -> None:
    facts: list[Fact] = []
    for n in range(19):
        facts += [renamed(f"/{pid}/{n}.pdf", f"/{pid}/{n}.pdf.x9q", n, who(pid)) for pid in (10, 20, 30, 40)]
    assert opened(facts) == []


def test_slow_burns_survive_a_restart() -> None:
    before = [hit(n, n * 10 * MINUTE, who(100 + n, "/bin/x")) for n in range(7)]
    judge = detector()
    for fact in before:
        judge.recall(from_body(to_body(fact)))
    [decision] = judge.see(hit(7, 80 * MINUTE, who(200, "/bin/x")))
    assert isinstance(decision, Opened)
    assert decision.incident.count == 8


def test_memory_is_bounded() -> None:
    judge = detector()
    for n in range(6000):
        actor = who(n)
        judge.see(hit(n, n, actor))
        judge.see(note(n, n, actor, asks=True))
        judge.see(renamed(f"/d/{n}.pdf", f"/d/{n}.pdf.x{n}", n, actor))
        judge.see(container(n, n, actor=actor))
    for rule in judge._rules:
        for lately in (value for value in vars(rule).values() if hasattr(value, "_by")):
            assert len(lately._by) <= 4096


@pytest.mark.parametrize(
    ("old", "new", "ending"),
    [
        ("/a.pdf", "/a.pdf.LOCK3D", ".lock3d"),
        ("/a.pdf", "/a.id-7.[x@y].akira", ".akira"),
        ("/a.pdf", "/a.zip", ""),
        ("/a.pdf", "/a", ""),
        ("/a.pdf", "/b/a.pdf.x9q", ""),
        ("/a.pdf", "/a.pdf.bak", ""),
        ("/a.pdf", "/a.pdf~", ""),
    ],
)
def test_endings(old: str, new: str, ending: str) -> None:
    assert strange_ending(renamed(old, new)) == ending


NOTES = (
    "Your files are encrypted! Pay 2 bitcoin. Download Tor Browser, visit http://x.onion",
    "Tous vos fichiers ont été chiffrés. Payez la rançon en bitcoins sous 72 heures, ou nous publierons.",
    "~~~ LockBit ~~~ Your data are stolen and encrypted. Contact us by tor browser. Decryption ID: 7F3A",
)
ORDINARY = (
    "This file is part of GnuPG: encrypt and decrypt with your private key.",
    "Compte rendu : le patient signale des douleurs. Traitement poursuivi 48 heures, contact au besoin.",
    "Licensed under the Apache License, Version 2.0. You may not use this file except in compliance.",
    "",
)


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_what_asks_for_ransom(coding: str) -> None:
    assert all(asks_for_ransom(text.encode(coding)) for text in NOTES)
    assert not any(asks_for_ransom(text.encode(coding)) for text in ORDINARY)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_may_be_asked_about(text: bytes) -> None:
    asks_for_ransom(text * 50)


ACTORS = st.sampled_from([who(10), who(20), Actor(who(30).process, (who(10).process,)), smb(40), smb(50)])
NUMBERS = st.integers(0, 40)
STEPS = st.lists(
    st.one_of(
        st.builds(lambda n, a: hit(n, actor=a), NUMBERS, ACTORS),
        st.builds(lambda n, a, asks: note(n, actor=a, asks=asks), NUMBERS, ACTORS, st.booleans()),
        st.builds(lambda n, a: renamed(f"/d/{n}.pdf", f"/d/{n}.pdf.x9q", actor=a), NUMBERS, ACTORS),
        st.builds(lambda n, a: gone(n, actor=a), NUMBERS, ACTORS),
        st.builds(
            lambda n, a, k: container(n, kind=k, actor=a), NUMBERS, ACTORS, st.sampled_from(["7z", None])
        ),
        st.builds(lambda n, a: Touched(f"/!{n}", "written", a, 0), NUMBERS, ACTORS),
        st.builds(lambda n, a: wrote(f"/ok/{n}", State.INTACT, 0, a), NUMBERS, ACTORS),
    ),
    max_size=80,
)


@given(STEPS, st.lists(st.integers(-3 * MINUTE, 20 * MINUTE), min_size=80, max_size=80))
@settings(max_examples=120, deadline=None)
def test_a_night_told_again_is_the_same_night(steps: list[Fact], waits: list[int]) -> None:
    """From the journal alone, with a clock that jumps back, and an incident released in between."""
    live, rows, told = detector(), list[Row](), list[tuple[str, bool]]()
    row: Callable[[str, dict[str, object]], None] = lambda kind, body: rows.append(  # noqa: E731
        Row(len(rows) + 1, 0, kind, body, "")
    )
    now = DAY
    for number, (fact, wait) in enumerate(zip(steps, waits, strict=False)):
        now += wait
        timed = from_body({**to_body(fact), "time_ns": now})
        if live.counts(timed):
            row("fact", to_body(timed))
        decisions = list(live.see(timed))
        for question in live.questions():
            row("answer", answer_body(question, number, now))
            decisions += live.answer(question, number, now)
        for decision in decisions:
            if isinstance(decision, Opened):
                told.append((decision.incident.reason, decision.incident.acts))
                row("incident", {"id": decision.incident.id, "reason": decision.incident.reason})
        if number == 40 and told:
            row("incident", {"id": "i1", "state": "released"})
            live.close("i1")
    again = [
        (d.incident.reason, d.incident.acts) for _, d in replay(rows, detector()) if isinstance(d, Opened)
    ]
    assert again == told


@pytest.mark.parametrize("body", [{}, {"key": 1}, {"key": [1, 2], "folders": 7}, {"key": [1]}])
def test_what_is_no_answer(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"answer|unpack"):
        answer_of(body)
