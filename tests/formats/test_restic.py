"""Names in a restic repository are digests of the content."""

import pytest

from vigie.formats.archive.restic import content_address, is_config

NAME = "ab" + "0123456789abcdef" * 3 + "0123456789abcd"


@pytest.mark.parametrize(
    "path",
    [
        f"/srv/repo/data/ab/{NAME}",
        f"data/{NAME}",
        f"/srv/repo/index/{NAME}",
        f"snapshots/{NAME}",
        f"/locks/{NAME}",
        f"x/keys/{NAME}",
    ],
)
def test_places_that_promise(path: str) -> None:
    assert content_address(path) == NAME


@pytest.mark.parametrize(
    "path",
    [
        NAME,
        f"/data/cd/{NAME}",
        f"/other/ab/{NAME}",
        f"/other/{NAME}",
        f"/index/{NAME[:-1]}",
        f"/index/{NAME}.tmp",
        f"/index/{NAME.upper()}",
        f"/index/{NAME}\n",
        "",
    ],
)
def test_places_that_do_not(path: str) -> None:
    assert content_address(path) is None


def test_the_configuration() -> None:
    assert is_config("/srv/repo/config", 155)
    assert not is_config("/srv/repo/config", 20)
    assert not is_config("/srv/repo/config.txt", 155)
