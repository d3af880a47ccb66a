import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes
from vigie.judge import addressed, judge
from vigie.model import Basis, State

DICE = random.Random(3)
# A pack: ciphertext, and the length of its header at the end.
PACK = DICE.randbytes(50_000) + (120).to_bytes(4, "little")
NAME = hashlib.sha256(PACK).hexdigest()


def test_a_pack_is_what_its_name_says() -> None:
    verdict = judge(Bytes(PACK), f"/srv/backup/data/{NAME[:2]}/{NAME}")
    assert (verdict.state, verdict.format, verdict.basis) == (State.INTACT, "restic", Basis.CHECKSUM)
    assert judge(Bytes(PACK), f"/srv/elsewhere/{NAME}").state is State.UNKNOWN


def test_a_pack_that_is_not_is_encrypted_if_all_of_it_was_overwritten_and_damaged_if_cut_or_hit() -> None:
    name = f"/srv/backup/data/{NAME[:2]}/{NAME}"
    verdict = judge(Bytes(DICE.randbytes(len(PACK))), name)
    assert (verdict.state, verdict.basis) == (State.ENCRYPTED, Basis.CHECKSUM)
    hit = PACK[:9000] + DICE.randbytes(4096) + PACK[13096:]
    assert judge(Bytes(hit), name).state is State.DAMAGED
    assert judge(Bytes(PACK + bytes(8)), name).state is State.DAMAGED
    assert judge(Bytes(bytes(len(PACK))), name).state is State.DAMAGED


def test_a_key_and_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    key = b'{"created":"2026-11-23T10:00:00Z","kdf":"scrypt","data":"..."}'
    name = hashlib.sha256(key).hexdigest()
    assert judge(Bytes(key), f"backup/keys/{name}").format == "restic"
    config = judge(Bytes(DICE.randbytes(155)), "backup/config")
    assert config.state is State.UNKNOWN
    assert "restic" in config.evidence[0]
    assert judge(Bytes(b"[core]\n\tbare = false\n" * 4), ".git/config").state is State.INTACT
    monkeypatch.setattr(addressed, "REACH", 1000)
    pack = f"/srv/backup/data/{NAME[:2]}/{NAME}"
    assert "not hashed" in judge(Bytes(PACK), pack).evidence[0]
    assert judge(Bytes(PACK), pack, full=True).state is State.INTACT


def test_every_file_of_a_real_repository_is_intact(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(DICE.randbytes(30_000))
    where = tmp_path / "backup"
    environment = {**os.environ, "RESTIC_PASSWORD": "secret", "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    for command in (["init"], ["backup", str(tmp_path / "a.txt")]):
        subprocess.run(["restic", "-q", "-r", str(where), *command], env=environment, check=True)
    states = {
        path.relative_to(where).parts[0]: judge(Bytes(path.read_bytes()), str(path)).state
        for path in where.rglob("*")
        if path.is_file()
    }
    assert states.pop("config") is State.UNKNOWN
    assert set(states) == {"data", "index", "keys", "snapshots"}
    assert set(states.values()) == {State.INTACT}
