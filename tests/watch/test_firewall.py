"""nftables for real, in a network namespace of the test's own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.watch import programs
from vigie.watch.firewall import DenyAddress
from vigie.watch.remount import Remount


@pytest.fixture
def space() -> Iterator[str]:
    name = f"vigie-{os.getpid()}-nft"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def denied(space: str) -> list[str]:
    listed = subprocess.run(
        ["ip", "netns", "exec", space, "nft", "-j", "list", "ruleset"], capture_output=True, check=True
    )
    sets = [item["set"] for item in json.loads(listed.stdout)["nftables"] if "set" in item]
    return sorted(element["elem"]["val"] for one in sets for element in one.get("elem", ()))


def rules(space: str) -> int:
    listed = subprocess.run(
        ["ip", "netns", "exec", space, "nft", "list", "ruleset"], capture_output=True, text=True, check=True
    )
    return listed.stdout.count(" drop\n")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="no nft, or not root")
def test_addresses_are_denied_for_a_time_and_let_in_again(space: str) -> None:
    nft = ("ip", "netns", "exec", space, "nft")
    firewall = DenyAddress(3600, never=("192.0.2.0/28",), nft=nft)
    addresses = ("10.9.8.7", "2001:db8::7", "fe80::1%lo")
    for address in (*addresses, addresses[0]):
        assert firewall.do({"address": address}).in_force
    assert denied(space) == ["10.9.8.7", "2001:db8::7", "fe80::1"]
    assert rules(space) == 2  # however often it is asked
    for address in (*addresses, addresses[0]):  # what the kernel forgot already is no error
        assert not firewall.undo({"address": address}).in_force
    assert denied(space) == []

    for address, why in (
        ("192.0.2.3", "never cut off"),
        ("0.0.0.0", "nobody"),
        ("224.0.0.1", "nobody"),
        ("10.9.8.7; flush ruleset", "no address"),
    ):
        outcome = firewall.do({"address": address})
        assert not outcome.done
        assert why in outcome.words
    assert not firewall.undo({"address": "x"}).in_force


def test_without_nft_it_says_so(tmp_path: Path) -> None:
    none = DenyAddress(60, nft=(str(tmp_path / "nft"),))
    assert "not installed" in none.do({"address": "10.0.0.2"}).words
    left = none.undo({"address": "10.0.0.2"})
    assert left.in_force  # as far as anybody knows
    assert not left.done


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="the nurses"):
        DenyAddress(60, never=("the nurses",))


def test_programs_end(tmp_path: Path) -> None:
    assert programs.run(("true",)) == ""
    assert "did not end" in programs.run(("sleep", "60"), seconds=0.1)
    assert "Permission" in programs.run((str(tmp_path),))
    assert programs.run(("sh", "-c", "cat; exit 4"), "two\nlines") == "sh ended with 4: two lines"


def test_what_must_stay_writable(tmp_path: Path) -> None:
    remount = Remount(str(tmp_path / "state"))
    for mount, why in (("/", "the system"), ("/usr", "the system"), (str(tmp_path), "no mount point")):
        outcome = remount.do({"mount": mount})
        assert not outcome.done
        assert why in outcome.words


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting is for root only")
def test_a_share_becomes_read_only_and_back(tmp_path: Path) -> None:
    point = tmp_path / "share"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        target = {"mount": str(point)}
        assert "journal" in Remount(str(point / "state")).do(target).words
        remount = Remount(str(tmp_path / "state"))
        assert remount.do(target).in_force
        with pytest.raises(OSError, match="Read-only"):
            (point / "new").touch()
        assert not remount.undo(target).in_force
        with (point / "new").open("w"):
            busy = remount.do(target)
        assert not busy.done  # and nothing is forced
        assert not busy.in_force
    finally:
        subprocess.run(["umount", point], check=True)
    assert remount.undo({"mount": str(tmp_path / "none")}).in_force
