"""Where the password comes from, in restic's own order and in borg's."""

import getpass
import os
import sys
from pathlib import Path

import pytest

from vigie.config import VaultSettings
from vigie.errors import WrongPassword
from vigie.vault.password import passphrase_of, password_of


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    restic = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND")
    for name in (*restic, "BORG_PASSPHRASE", "BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)


def test_the_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("setting", "file"):
        (tmp_path / name).write_text(f"  from the {name} \n")
    settings = VaultSettings(password_file=str(tmp_path / "setting"))
    assert password_of(settings, "r") == "from the setting"
    monkeypatch.setenv("RESTIC_PASSWORD", " as it is ")
    assert password_of(settings, "r") == " as it is "
    monkeypatch.setenv("RESTIC_PASSWORD_FILE", str(tmp_path / "file"))
    assert password_of(settings, "r") == "from the file"
    monkeypatch.setenv("RESTIC_PASSWORD_COMMAND", "printf 'from a command\\n'")
    assert password_of(settings, "r") == "from a command"


def test_the_prompt_is_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "asked" if "repo" in prompt else "")
    assert password_of(VaultSettings(), "repo") == "asked"
    with pytest.raises(WrongPassword, match="empty"):
        password_of(VaultSettings(), "other")


def test_nobody_can_be_asked() -> None:
    with pytest.raises(WrongPassword, match="no password is given") as error:
        password_of(VaultSettings(), "repo")
    assert "RESTIC_PASSWORD_FILE" in error.value.remedy


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"s\0e\0"])
def test_files_that_hold_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WrongPassword):
        password_of(VaultSettings(password_file=str(tmp_path / "file")), "repo")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WrongPassword, match="cannot be read"):
        password_of(VaultSettings(password_file=str(tmp_path / "none")), "repo")


@pytest.mark.parametrize("command", ["false", "/no/such/program", "'unbalanced", "printf '\\377'"])
def test_commands_that_fail(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("RESTIC_PASSWORD_COMMAND", command)
    with pytest.raises(WrongPassword, match="the command that should give the password fails"):
        password_of(VaultSettings(), "repo")


def test_a_byte_order_mark_is_dropped_as_restic_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfpw\r\n")
    assert password_of(VaultSettings(password_file=str(tmp_path / "file")), "r") == "pw"


def test_the_order_of_borg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "setting").write_text("\ufefffrom the setting\n")
    settings = VaultSettings(password_file=str(tmp_path / "setting"))
    assert passphrase_of(settings, "r") == "from the setting"
    reading, writing = os.pipe()
    os.write(writing, b"from a descriptor\n")
    os.close(writing)
    monkeypatch.setenv("BORG_PASSPHRASE_FD", str(reading))
    assert passphrase_of(settings, "r") == "from a descriptor"
    monkeypatch.setenv("BORG_PASSCOMMAND", "printf 'from a command\\n'")
    assert passphrase_of(settings, "r") == "from a command"
    monkeypatch.setenv("BORG_PASSPHRASE", " as it is ")
    assert passphrase_of(settings, "r") == " as it is "


def test_the_prompt_of_borg_is_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"asked: {prompt}")
    assert passphrase_of(VaultSettings(), "repo") == "asked: Passphrase of repo: "


def test_nobody_can_be_asked_for_a_passphrase() -> None:
    with pytest.raises(WrongPassword, match="no passphrase is given") as error:
        passphrase_of(VaultSettings(), "repo")
    assert "BORG_PASSCOMMAND" in error.value.remedy


@pytest.mark.parametrize("content", [b"\xff\xfe", b"s\0e\0", None])
def test_files_that_hold_no_passphrase(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(WrongPassword):
        passphrase_of(VaultSettings(password_file=str(tmp_path / "file")), "repo")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BORG_PASSCOMMAND", "false"),
        ("BORG_PASSCOMMAND", "no-such-program-at-all"),
        ("BORG_PASSCOMMAND", "an 'open quote"),
        ("BORG_PASSPHRASE_FD", "987654"),
        ("BORG_PASSPHRASE_FD", "none"),
    ],
)
def test_what_should_give_the_passphrase_fails(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(WrongPassword) as error:
        passphrase_of(VaultSettings(), "repo")
    assert error.value.subject == variable
    assert value not in str(error.value)
