"""HPRIM Médecin reports and HPRIM Santé messages, as writers really make them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Format, Malformed
from vigie.formats.health.hprim import MEDECIN, SANTE
from vigie.judge import judge
from vigie.model import State

CHAOS = random.Random(12)
HEADER = [
    "000129610",
    "DUPRÉ",
    "HÉLÈNE",
    "1 RUE DE LA PAIX",
    "",
    "75001 PARIS",
    "02/01/1960",
    "2600175001001 23",
    "26030142",
    "02/03/2026",
    "LAB01 LABO INVENTÉ",
    "DR42 DR LECOQ",
    "",
]
LETTER = [f"  Ferritine .......... {n % 90},4 µg/l  (20-120)" for n in range(200)]
RESULTS = [f"RES|Ferritine|FER|N|{n % 90}.4|ug/l|20|120|N|F|||||" for n in range(60)]
ENDS = ["****FIN****", "****FINFICHIER****", ""]
FULL = [*HEADER, *LETTER, "****LAB****", "TEX|BIOCHIMIE|", *RESULTS, *ENDS]
MESSAGE = [
    "H|~^\\&|URG062.HPR||133002782~CASALTA||ORU|||MARURG~Marignane Urgence||P|H2.0|200410291528",
    "P|1|01|02||DUPRÉ~HÉLÈNE||19600102|F",
    "OBR|1||001|NFS~Numération~L|R||202603020815",
    *(f"OBX|{n}|NM|HB~Hémoglobine~L||13.{n % 10}|g/dl|12-16|N|||F" for n in range(150)),
    "C|1||un commentaire accentué",
    "L|1|||1|155",
    "",
]


def written(lines: list[str], codec: str = "latin-1", end: str = "\r\n") -> bytes:
    return end.join(lines).encode(codec)


HEALTHY = {
    "full": (MEDECIN, written(FULL)),
    "UTF-8": (MEDECIN, written(FULL, "utf-8")),
    "UTF-16": (MEDECIN, written(FULL, "utf-16")),
    "DOS": (MEDECIN, written(FULL, "cp850", "\n")),
    "Macintosh": (MEDECIN, written(FULL, "mac-roman", "\r")),
    "letter": (MEDECIN, written([*HEADER, *LETTER, *ENDS])),
    "end of file mark": (MEDECIN, written(FULL) + b"\x1a"),
    "message": (SANTE, written(MESSAGE, end="\r")),
    "message, other marks": (SANTE, written(MESSAGE).replace(b"|~^\\&|", b"|\\^&~|", 1)),
    "message, UTF-8": (SANTE, written(MESSAGE, "utf-8", "\n")),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_files(name: str) -> None:
    form, data = HEALTHY[name]
    assert form.recognises(data[:HEAD])
    anatomy = form.dissect(Bytes(data))
    assert anatomy.format == form.name
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    assert judge(Bytes(data), "x.hpr").state is State.INTACT


@pytest.mark.parametrize(
    ("form", "data", "note"),
    [
        (MEDECIN, written([*HEADER, *LETTER]), "no ****FIN**** at the end"),
        (MEDECIN, written(FULL[:-3]) + b"\r\n", "no ****FIN**** at the end"),
        (
            MEDECIN,
            written(FULL).replace(b"Ferritine", b"F\x01rritine", 1),
            "bytes that stand in no text, in 1 places",
        ),
        (SANTE, written(MESSAGE[:-2]) + b"\r\n", "no L segment at the end"),
    ],
)
def test_habits_of_writers_are_notes(form: Format, data: bytes, note: str) -> None:
    anatomy = form.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == (note,)


@pytest.mark.parametrize(("form", "data"), [(MEDECIN, written(FULL)), (SANTE, written(MESSAGE))])
def test_a_file_cut_inside_a_line_is_flawed(form: Format, data: bytes) -> None:
    for size in (3000, 5001, len(data) - 60):
        cut = data[:size].rstrip(b"\r\n")
        told = form.dissect(Bytes(cut)).flaws
        assert [(flaw.start, flaw.end) for flaw in told] in ([(len(cut), len(cut))], [])
        assert told or b"****LAB" not in data[:size]


def test_what_is_no_message_is_malformed() -> None:
    with pytest.raises(Malformed):
        SANTE.dissect(Bytes(b"a letter\r\n" * 20))
    with pytest.raises(Malformed):
        MEDECIN.dissect(Bytes(b""))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"H",
        b"H|",
        b"Hello|world|",
        b"H|abc|",
        b"un texte\n" * 20,
        b"****FIN****\n" + bytes(range(64)) * 9,
    ],
)
def test_other_files_are_not(head: bytes) -> None:
    assert not MEDECIN.recognises(head)
    assert not SANTE.recognises(head)


@pytest.mark.parametrize("name", [name for name in HEALTHY if name != "UTF-16"])
def test_struck_files_are_encrypted(name: str) -> None:
    _, data = HEALTHY[name]
    chopped, fine = bytearray(data), bytearray(data)
    for at in range(0, len(data), 192):
        chopped[at : at + 64] = CHAOS.randbytes(len(data[at : at + 64]))
    for at in range(0, len(data), 32):
        fine[at : at + 16] = CHAOS.randbytes(len(data[at : at + 16]))
    block = data[:4096] + CHAOS.randbytes(4096) + data[8192:]
    head = CHAOS.randbytes(4096) + data[4096:]
    for hit in (CHAOS.randbytes(len(data)), head, bytes(chopped), bytes(fine), block):
        assert judge(Bytes(hit), "x.hpr").state is State.ENCRYPTED


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_mutated_files(draw: st.DataObject) -> None:
    form, healthy = HEALTHY[draw.draw(st.sampled_from(sorted(HEALTHY)))]
    data = bytearray(healthy)
    for _ in range(draw.draw(st.integers(1, 5))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + 64] = draw.draw(st.binary(max_size=64))
    assert form.recognises(bytes(data[:HEAD])) in (True, False)
    try:
        anatomy = form.dissect(Bytes(bytes(data)))
    except Malformed as broken:
        assert 0 <= broken.offset <= len(data)  # noqa: PT017  either is right
        return
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
