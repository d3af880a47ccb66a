from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import Actor, Likeness, Process, State, Verdict
from vigie.watch.detector import Detector, Joined, Opened
from vigie.watch.facts import Observation
from vigie.watch.responsible import NOBODY

SECOND = 10**9
INIT = Process(1, 1, "/sbin/init")


def process(pid: int) -> Process:
    return Process(pid, pid * 10, f"/bin/p{pid}")


def actor(*pids: int) -> Actor:
    return Actor(process(pids[0]), (*(process(p) for p in pids[1:]), INIT))


def detector(limit: int = 3, window: float = 60.0) -> Detector:
    numbers = count(1)
    return Detector(limit, window, lambda _: f"i{next(numbers)}")


def seen(
    path: str,
    state: State = State.ENCRYPTED,
    who: Actor | None = None,
    at: float = 0,
    *,
    before: State | None = None,
    random: float = 1.0,
) -> Observation:
    likeness = Likeness(state, None, 100, random, b"")
    earlier = Likeness(before, None, 100, 0.0, b"") if before else None
    return Observation(path, Verdict(state, likeness=likeness), earlier, who, int(at * SECOND))


CASES: dict[str, tuple[list[Observation], int]] = {
    "three files of one process": ([seen(f"/{i}", who=actor(10)) for i in range(3)], 1),
    "two are not enough": ([seen(f"/{i}", who=actor(10)) for i in range(2)], 0),
    "the same file three times": ([seen("/a", who=actor(10)) for _ in range(3)], 0),
    "three processes without a common parent": ([seen(f"/{i}", who=actor(10 + i)) for i in range(3)], 0),
    "three children of one process": ([seen(f"/{i}", who=actor(10 + i, 5)) for i in range(3)], 1),
    "nobody known": ([seen(f"/{i}") for i in range(3)], 1),
    "out of the window": ([seen(f"/{i}", who=actor(10), at=i * 61) for i in range(5)], 0),
    "slowly, inside the window": ([seen(f"/{i}", who=actor(10), at=i * 25) for i in range(3)], 1),
    "encrypted before": ([seen(f"/{i}", who=actor(10), before=State.ENCRYPTED) for i in range(5)], 0),
    "intact before": ([seen(f"/{i}", who=actor(10), before=State.INTACT) for i in range(3)], 1),
    "intact files": ([seen(f"/{i}", State.INTACT, actor(10)) for i in range(9)], 0),
    "damaged files": ([seen(f"/{i}", State.DAMAGED, actor(10)) for i in range(9)], 0),
    "the clock jumps back": ([seen(f"/{i}", who=actor(10), at=1000 - 400 * i) for i in range(3)], 1),
    "a hundred files are one incident": ([seen(f"/{i}", who=actor(10)) for i in range(100)], 1),
}


@pytest.mark.parametrize("name", CASES)
def test_rule_one(name: str) -> None:
    observations, expected = CASES[name]
    watch = detector()
    decisions = [d for o in observations for d in watch.see(o)]
    opened = [d for d in decisions if isinstance(d, Opened)]
    assert len(opened) == expected
    if expected:
        assert opened[0].incident.count == 3
        assert opened[0].incident.files == tuple(o.path for o in observations[:3])
        assert len(decisions) - 1 == len(observations) - 3


def test_the_process_itself_is_named_before_its_parents() -> None:
    watch = detector()
    decisions = [d for i in range(3) for d in watch.see(seen(f"/{i}", who=actor(10, 5, 4)))]
    assert isinstance(decisions[0], Opened)
    assert decisions[0].incident.actor == actor(10, 5, 4)
    # What is laid at its door does not count again at its parents'.
    assert watch.see(seen("/x", who=actor(11, 5, 4))) == ()


def test_a_parent_is_named_for_its_children_and_later_children_join() -> None:
    watch = detector()
    decisions = [d for i in range(4) for d in watch.see(seen(f"/{i}", who=actor(10 + i, 5, 4)))]
    opened, joined = decisions
    assert isinstance(opened, Opened)
    assert opened.incident.actor == actor(5, 4)
    assert opened.writer == process(12)
    assert joined == Joined("i1", process(13))


def test_pid_one_is_never_responsible() -> None:
    watch = detector(limit=1)
    (decision,) = watch.see(seen("/a", who=Actor(process(9), (INIT,))))
    assert isinstance(decision, Opened)
    assert decision.incident.actor is not None
    assert decision.incident.actor.process.pid == 9


def test_a_service_does_not_answer_for_the_clients_of_its_children() -> None:
    smbd = Process(7, 70, "/usr/sbin/smbd")
    for service in (smbd, Process(8, 80, "/usr/lib/systemd/systemd")):
        watch = detector()
        for number in range(9):
            who = Actor(Process(20 + number, 1, "/usr/sbin/smbd"), (service, process(5), INIT))
            assert watch.see(seen(f"/{number}", who=who)) == ()
    watch = detector()
    decisions = [watch.see(seen(f"/{n}", who=Actor(smbd, (INIT,)))) for n in range(3)]
    assert isinstance(decisions[-1][0], Opened)  # the very process that writes is always answerable


def test_a_closed_incident_starts_again_from_nothing() -> None:
    watch = detector()
    for i in range(3):
        watch.see(seen(f"/{i}", who=actor(10)))
    assert watch.suspects((10, 100))
    watch.close("i1")
    assert not watch.suspects((10, 100))
    again = [d for i in range(3) for d in watch.see(seen(f"/{i}", who=actor(10)))]
    assert [d.incident.id for d in again if isinstance(d, Opened)] == ["i2"]


def test_one_file_makes_a_suspect() -> None:
    watch = detector()
    assert not watch.suspects((10, 100))
    watch.see(seen("/a", who=actor(10)))
    assert watch.suspects((10, 100))


def strangers(
    watch: Detector, number: int, gone: Callable[[int], int], who: Actor | None = None
) -> list[str]:
    """Make new random files; what vanishes is counted when the detector asks."""
    opened: list[str] = []
    for i in range(number):
        if opened:
            break
        assert watch.see(seen(f"/f/{i}", State.UNKNOWN, who or actor(10), at=i)) == ()
        for question in watch.questions():
            assert question.folders == ("/f",)
            for decision in watch.answer(question, gone(i), i * SECOND):
                assert isinstance(decision, Opened)
                opened.append(decision.incident.reason)
    return opened


def test_rule_two_files_replaced_by_strangers() -> None:
    watch = detector()
    reason = "3 known files vanished where 4 new ones of no known kind, random all over, appeared"
    assert strangers(watch, 10, lambda i: i) == [reason]
    assert watch.see(seen("/f/later", State.UNKNOWN, actor(10))) == (Joined("i1", process(10)),)


def test_rule_two_through_one_process_a_file() -> None:
    watch = detector()
    opened = []
    for i in range(6):
        watch.see(seen(f"/f/{i}", State.UNKNOWN, actor(20 + i, 5), at=i))
        for question in watch.questions():
            opened += [d for d in watch.answer(question, i, 0) if isinstance(d, Opened)]
    assert [d.incident.actor for d in opened] == [actor(5)]


@pytest.mark.parametrize(
    ("number", "gone"),
    [
        (50, lambda _: 0),  # a backup: nothing vanishes
        (50, lambda _: 40),  # they had vanished before
        (2, lambda i: i * 10),  # too few new files
    ],
)
def test_rule_two_stays_quiet(number: int, gone: Callable[[int], int]) -> None:
    assert strangers(detector(), number, gone) == []


def test_rule_two_is_asked_again_for_a_while() -> None:
    watch = detector()
    strangers(watch, 3, lambda _: 0)
    (question,) = watch.pending(5 * SECOND)
    (decision,) = watch.answer(question, 3, 5 * SECOND)
    assert isinstance(decision, Opened)
    assert watch.pending(5 * SECOND) == ()
    assert watch.answer(question, 3, 5 * SECOND) == ()
    strangers(watch, 3, lambda _: 0, actor(77))
    assert watch.pending(10**6 * SECOND) == ()


@pytest.mark.parametrize(
    "what",
    [
        seen("/f/a", State.UNKNOWN, actor(1), random=0.5),
        seen("/f/a", State.UNKNOWN, actor(1), before=State.INTACT),
        seen("/f/a", State.INTACT, actor(1)),
        Observation("/f/a", Verdict(State.UNKNOWN), None, actor(1), 0),
    ],
)
def test_what_is_no_stranger_is_not_asked_about(what: Observation) -> None:
    watch = detector(limit=1)
    assert watch.see(what) == ()
    assert watch.questions() == ()


def test_nobody_is_asked_about_too() -> None:
    watch = detector(limit=1)
    watch.see(seen("/f/a", State.UNKNOWN))
    (question,) = watch.questions()
    assert question.key == NOBODY


def test_memory_is_bounded() -> None:
    watch = detector(limit=3)
    for i in range(6000):
        watch.see(seen(f"/{i}", who=actor(10 + i)))
    assert len(watch._tallies) <= 4096
    for i in range(2500):
        for k in range(3):
            watch.see(seen(f"/{i}/{k}", who=actor(10_000 + i)))
    assert len(watch._open) <= 1024
    many = detector(limit=2000)
    for i in range(1999):
        many.see(seen(f"/{i}", who=actor(10)))
    (decision,) = many.see(seen("/last", who=actor(10)))
    assert isinstance(decision, Opened)
    assert decision.incident.count == 2000
    assert len(decision.incident.files) == 20


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    pids = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4, unique=True))
    return seen(
        draw(st.text("/ab\udce9", max_size=6)),
        draw(st.sampled_from(State)),
        draw(st.none() | st.just(actor(*pids))),
        draw(st.floats(-1e6, 1e6)),
        before=draw(st.none() | st.sampled_from(State)),
        random=draw(st.floats(0, 1)),
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(observations(), st.integers(-5, 50)), max_size=60),
    st.integers(1, 5),
    st.floats(0.001, 1e6),
)
def test_it_never_raises_and_counts_honestly(
    events: list[tuple[Observation, int]], limit: int, window: float
) -> None:
    watch = detector(limit, window)
    for observation, gone in events:
        decisions = list(watch.see(observation))
        for question in (*watch.questions(), *watch.pending(observation.time_ns)):
            decisions += watch.answer(question, gone, observation.time_ns)
        for decision in decisions:
            if isinstance(decision, Opened):
                assert decision.incident.count >= limit
                assert decision.incident.reason
