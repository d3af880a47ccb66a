"""Which repository and which source is meant."""

from pathlib import Path

import pytest

from vigie.config import VaultSettings
from vigie.errors import NoSuchTarget, WrongPassword
from vigie.vault import Restic, repository_of, source_of


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESTIC_REPOSITORY", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESTIC_PASSWORD", "wrong")


def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = VaultSettings(repository="/setting")
    assert repository_of(None, settings) == "/setting"
    monkeypatch.setenv("RESTIC_REPOSITORY", "/environment")
    assert repository_of(None, settings) == "/environment"
    assert repository_of("/given", settings) == "/given"


def test_none_is_named() -> None:
    with pytest.raises(NoSuchTarget, match="no repository is named"):
        repository_of(None, VaultSettings())


@pytest.mark.parametrize("given", ["", "restic:", "borg:", "snapshots:", "/a/path", "tape:1"])
def test_sources_that_are_none(given: str) -> None:
    with pytest.raises(NoSuchTarget, match="names no backup") as error:
        source_of(given, VaultSettings())
    assert "restic:" in error.value.remedy


def test_the_vault_and_a_repository(restic: Restic, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = VaultSettings(repository=restic.repository)
    for given in ("vault", f"restic:{restic.repository}"):
        with pytest.raises(WrongPassword):
            source_of(given, settings)
        monkeypatch.setenv("RESTIC_PASSWORD", restic.environment["RESTIC_PASSWORD"])
        with source_of(given, settings) as source:
            assert source.snapshots() == ()
        monkeypatch.setenv("RESTIC_PASSWORD", "wrong")


@pytest.mark.parametrize("kind", ["restic", "borg", "snapshots"])
def test_no_such_repository(tmp_path: Path, kind: str) -> None:
    with pytest.raises(NoSuchTarget):
        source_of(f"{kind}:{tmp_path / 'none'}", VaultSettings())


def test_a_folder_of_snapshots(tmp_path: Path) -> None:
    (tmp_path / "2026-11-03").mkdir()
    with source_of(f"snapshots:{tmp_path}", VaultSettings()) as source:
        assert [snapshot.id for snapshot in source.snapshots()] == ["2026-11-03"]


@pytest.mark.parametrize("given", ["restic", "restic:local", "borg", "snapshots"])
def test_a_repository_of_kopia_is_called_one(tmp_path: Path, given: str) -> None:
    (tmp_path / "kopia.repository.f").touch()
    with pytest.raises(NoSuchTarget, match="repository of kopia") as error:
        source_of(f"{given}:{tmp_path}", VaultSettings())
    assert "snapshots:" in error.value.remedy


@pytest.mark.parametrize("given", ["restic", "snapshots"])
def test_a_repository_of_borg_is_not_taken_for_another(tmp_path: Path, given: str) -> None:
    (tmp_path / "config").write_bytes(b"[repository]\nversion = 1\n")
    with pytest.raises(NoSuchTarget, match="repository of borg") as error:
        source_of(f"{given}:{tmp_path}", VaultSettings())
    assert error.value.remedy == f"Write borg:{tmp_path}"


def test_a_repository_of_restic_is_no_folder_of_snapshots(repository: Path) -> None:
    with pytest.raises(NoSuchTarget, match="repository of restic"):
        source_of(f"snapshots:{repository}", VaultSettings())
