import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.config import CheckSettings
from vigie.formats.contract import Bytes
from vigie.judge import Explanation, Stretch, examine, explain
from vigie.model import Charset, Flaw, Kind, Range, Region, State, Verdict
from vigie.sources.folder import FileBlob
from vigie.workers import Workers, wire, wire_explanation

NOISE = random.Random(3).randbytes(6000)
EXPLANATION = Explanation(
    200,
    Verdict(State.ENCRYPTED, "pdf", ranges=(Range(0, 64),), evidence=("why",), read=200),
    (
        Stretch(0, 100, Kind.STRUCTURED, 1.0, 255.5, struck=True, flawed=True),
        Stretch(100, 200, None, None, None, struck=False, flawed=False),
    ),
    (Region(0, 100, Kind.STRUCTURED, "header", Charset.UTF8, "a.txt"),),
    (Flaw(0, 64, "broken", checksum=True, throughout=False),),
    ("no preamble",),
)


def test_what_is_said_is_what_is_heard() -> None:
    assert wire_explanation.read(wire_explanation.write(EXPLANATION)) == EXPLANATION
    real = explain(examine(Bytes(NOISE), "a.txt"))
    assert wire_explanation.read(wire_explanation.write(real)) == real


@pytest.mark.parametrize("text", ["x", "\udce9", "\U0001f600"])
def test_the_longest_explanation_fits_in_a_message(text: str) -> None:
    far = 1 << 62
    verdict = Verdict(
        State.UNKNOWN, "f", ranges=tuple(Range(n, far) for n in range(999)), evidence=(text * 9999,) * 99
    )
    stretches = tuple(
        Stretch(far + n, far + n + 1, Kind.STRUCTURED, 1 / 3, 1e6 / 3, struck=False, flawed=False)
        for n in range(256)
    )
    regions = (Region(far, far, Kind.STRUCTURED, text * 9999, member=text * 9999),) * 999
    long = Explanation(
        far + 256, verdict, stretches, regions, (Flaw(0, far, text * 9999),) * 999, (text * 9999,) * 999
    )
    message = wire_explanation.write(long)
    assert len(message) < 208 * 1024 < wire.LONGEST
    assert len(json.loads(message)[3]) > 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((0,), []),
        ((0, 0), "fine"),
        ((1,), -1),
        ((1,), 201),
        ((2,), {}),
        ((2,), [[0, 1, None, None, None, False, False]] * 257),
        ((2, 0), 7),
        ((2, 0, 0), 1),
        ((2, 0, 1), 0),
        ((2, 1, 1), 150),
        ((2, 0, 2), "wild"),
        ((2, 0, 3), 1.01),
        ((2, 0, 3), float("nan")),
        ((2, 0, 3), True),
        ((2, 0, 4), -1),
        ((2, 0, 4), float("inf")),
        ((2, 0, 5), 1),
        ((3, 0, 0), 101),
        ((3, 0, 2), None),
        ((3, 0, 3), 5),
        ((3, 0, 3), "x" * 301),
        ((3, 0, 4), "ebcdic"),
        ((3, 0), [1, 2]),
        ((4, 0, 2), None),
        ((4, 0, 3), "yes"),
        ((4, 0, 1), 1 << 63),
        ((5,), "text"),
        ((5, 0), 3),
        ((5, 0), ["a", "b"]),
    ],
)
def test_every_field_is_checked(place: tuple[int, ...], value: object) -> None:
    parts = json.loads(wire_explanation.write(EXPLANATION))
    inner = parts
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=r"^"):
        wire_explanation.read(json.dumps(parts).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"^"):
        wire_explanation.read(message)


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(CheckSettings(workers=1)) as made:
        yield made


def test_a_confined_worker_explains_as_the_judge_would(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(NOISE)
    with FileBlob.adopt(os.open(path, os.O_RDONLY)) as blob:
        found = workers.explain(blob, "a.txt")
        assert found.verdict == workers.judge(blob, "a.txt")  # the same worker judges on
    assert found == explain(examine(Bytes(NOISE), "a.txt"))
    assert found.verdict.state is State.ENCRYPTED


def test_a_worker_that_talks_nonsense_or_dies_is_replaced(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text\n")
    workers.start()
    single = workers._single
    assert single is not None
    with FileBlob.adopt(os.open(path, os.O_RDONLY)) as blob:
        single.process.kill()
        single.process.join()
        dead = workers.explain(blob, "a.txt")
        assert dead.stretches == ()
        assert dead.size == 5
        assert dead.verdict.state is State.UNKNOWN
        assert "died" in dead.verdict.evidence[0]
        monkeypatch.setattr(workers, "limit", lambda _size: 0.05)
        assert single.process.pid is not None
        os.kill(single.process.pid, signal.SIGSTOP)
        assert "more than" in workers.explain(blob, "a.txt").verdict.evidence[0]
        monkeypatch.undo()
        assert workers.explain(blob, "a.txt").verdict.state is State.INTACT
