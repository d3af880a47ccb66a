"""Mail: messages and boxes of them, attachments, and parts in binary."""

import email.message
import email.policy
import mailbox
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office import email as mail
from vigie.formats.office.email import FORMAT, dissect
from vigie.model import Charset, Kind

LETTER = "Le patient présente une fièvre à 39°, un œdème léger.\n" * 60


def message(charset: str = "utf-8", cte: str = "quoted-printable") -> email.message.EmailMessage:
    one = email.message.EmailMessage(policy=email.policy.SMTP)
    one["From"] = "labo@example.org"
    one["To"] = "cabinet@example.org"
    one["Subject"] = "Résultats"
    one["Date"] = "Mon, 02 Mar 2026 08:00:00 +0100"
    one["Received"] = "from a.example.org by b.example.org; Mon, 02 Mar 2026 08:00:01 +0100"
    one.set_content(LETTER.replace("œ", "oe"), charset=charset, cte=cte)
    one.add_attachment(
        random.Random(1).randbytes(6000), maintype="application", subtype="pdf", filename="r.pdf"
    )
    return one


SAMPLE = message().as_bytes()


@pytest.mark.parametrize(
    ("charset", "cte", "expected"),
    [
        ("utf-8", "quoted-printable", Charset.UTF8),
        ("utf-8", "8bit", Charset.UTF8),
        ("iso-8859-1", "8bit", Charset.LATIN1),
        ("utf-8", "base64", Charset.UTF8),
    ],
)
def test_messages_are_text(charset: str, cte: str, expected: Charset) -> None:
    data = message(charset, cte).as_bytes()
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.format, anatomy.flaws, anatomy.notes) == ("email", (), ())
    assert [(r.start, r.end, r.charset) for r in anatomy.regions] == [(0, len(data), expected)]


def test_mailboxes_and_apple_mail(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for _ in range(5):
        box.add(message())
    box.close()
    data = (tmp_path / "box").read_bytes()
    assert data.startswith(b"From ")
    assert FORMAT.recognises(data[:4096])
    assert dissect(Bytes(data)).flaws == ()
    assert FORMAT.recognises(b"12345     \n" + SAMPLE[:4000])


def test_a_part_in_binary_is_opaque() -> None:
    bits = random.Random(2).randbytes(5000)
    data = (
        b"From: a@b\r\nTo: c@d\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=zz\r\n\r\n--zz\r\n"
        b"Content-Transfer-Encoding: Binary\r\n\r\n" + bits + b"\r\n--zz--\r\n" + LETTER.encode() * 9
    )
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    (opaque,) = [r for r in anatomy.regions if r.kind is Kind.OPAQUE]
    assert (opaque.start, opaque.end) == (data.index(bits), data.index(bits) + 5000)
    open_end = dissect(Bytes(data[: data.index(bits) + 4000]))
    assert open_end.regions[-1].kind is Kind.OPAQUE
    assert open_end.regions[-1].end == data.index(bits) + 4000


def test_headers_without_a_body_and_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"From: a@b\nTo: c@d\nSubject: x\nContent-Transfer-Encoding: binary"
    assert [r.kind for r in dissect(Bytes(head)).regions] == [Kind.STRUCTURED]
    monkeypatch.setattr(mail, "MOST", 2)
    part = b"Content-Transfer-Encoding: binary\n\nabc\n--z\n"
    assert sum(r.kind is Kind.OPAQUE for r in dissect(Bytes(part * 9)).regions) == 2


def test_blows_are_flaws_where_they_fell() -> None:
    chaos = random.Random(3).randbytes(900)
    hit = SAMPLE[:5000] + chaos + SAMPLE[5900:]
    (flaw,) = dissect(Bytes(hit)).flaws
    assert 5000 <= flaw.start < flaw.end <= 5900


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"From: somebody\n\nto somebody else\n",
        b"name: a\nversion: 1\nlicense: MIT\n",
        b"Package: a\nDate: today\nVersion: 1\n",
        b"Subject matter\nFrom here on\n",
    ],
)
def test_what_is_no_mail(head: bytes) -> None:
    assert not FORMAT.recognises(head)


def test_random_bytes_are_malformed_and_nothing_is_empty() -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(random.Random(4).randbytes(4000)))
    assert dissect(Bytes(b"")).regions == ()
