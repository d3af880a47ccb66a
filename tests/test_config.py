import os
from pathlib import Path

import pytest

from vigie import config
from vigie.errors import BadSettings, NoSuchTarget


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "vigie.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_everything_has_a_default(tmp_path: Path) -> None:
    assert config.read(written(tmp_path, "")) == config.Settings()


def test_a_typo_names_the_line_and_the_nearest_key(tmp_path: Path) -> None:
    path = written(tmp_path, '# Vigie\n\n[vault]\nrepository = "/srv/v"\npasword_file = "/etc/p"\n')
    with pytest.raises(BadSettings) as caught:
        config.read(path)
    assert f"{path}, line 5" in str(caught.value)
    assert "vault.pasword_file" in str(caught.value)
    assert caught.value.remedy == 'Did you mean "password_file"?'


def test_an_unknown_section_names_its_line_and_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        config.read(written(tmp_path, "\n[zzz]\na = 1\n"))
    assert "line 2" in caught.value.subject
    assert "check, guard, recover, vault" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[guard]\nencrypted_files = 0\n", "line 2"),
        ("guard.window = -1\n", "line 1"),
        ("[check\n", "not valid TOML"),
        (b"\xff\xfe[", "not UTF-8"),
        ("#" * (config.LARGEST_FILE + 1), "larger than 1 MiB"),
        ('[guard]\n"never_freeze" = "one"\n', "line 2"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        config.read(written(tmp_path, text))


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(NoSuchTarget):
        config.load(str(tmp_path))
    with pytest.raises(BadSettings):
        config.read(tmp_path)


def test_the_order_in_which_settings_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIGIE_SETTINGS", raising=False)
    monkeypatch.setattr(config, "SYSTEM_SETTINGS", tmp_path / "none.toml")
    assert config.load() == config.Settings()
    written(tmp_path, "check.workers = 1\n")
    assert config.load().check.workers == 1
    other = tmp_path / "other.toml"
    other.write_text("check.workers = 2\n")
    monkeypatch.setenv("VIGIE_SETTINGS", str(other))
    assert config.load().check.workers == 2


def test_where_state_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_STATE", "/somewhere")
    assert config.state_folder(None) == Path("/somewhere")
    assert config.state_folder("/here") == Path("/here")
    monkeypatch.delenv("VIGIE_STATE")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert config.state_folder(None) == Path("/var/lib/vigie")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert config.state_folder(None) == Path("/x/vigie")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert config.state_folder(None).parts[-3:] == (".local", "state", "vigie")


STEP = '[[recover.order]]\nname = "a"\nwords = ["x"]\n'


def test_the_order_of_a_restore(tmp_path: Path) -> None:
    text = '[recover]\nlimit = "20M"\n[[recover.order]]\nname = "a"\nwords = ["x*"]\n'
    found = config.read(written(tmp_path, text)).recover
    assert found.limit == 20 << 20
    assert [(step.name, step.words, step.days) for step in found.order] == [("a", ("x*",), 0)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"{STEP}{STEP}wrds = 1\n", 7, "no setting"),
        ('[[recover.order]]\nname = "a"\n', 1, "give words, paths or formats"),
        ('[recover]\nlimit = "fast"\n', 2, "bytes a second"),
        ("[recover]\nlimit = -1\n", 2, "bytes a second"),
        ("[recover]\nlimit = 1.5\n", 2, "bytes a second"),
    ],
)
def test_a_wrong_order_or_limit_names_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(BadSettings, match=said) as caught:
        config.read(written(tmp_path, text))
    assert caught.value.subject.endswith(f"line {line}")


@pytest.mark.parametrize(("text", "bytes_"), [("0", 0), ("500k", 512_000), (" 1 GiB ", 1 << 30), (7, 7)])
def test_rates(text: str | int, bytes_: int) -> None:
    assert config.rate(text) == bytes_
