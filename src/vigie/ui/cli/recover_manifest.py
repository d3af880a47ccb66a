"""`vigie recover --verify-manifest`: is everything still as it was handed back?"""

from pathlib import Path

import click

from vigie.errors import ExitCode
from vigie.ui.cli import output, shown
from vigie.vault.manifest_check import check_manifest
from vigie.vault.manifest_key import known_key


def verify(folder: str, state: Path, *, as_json: bool) -> int:
    """Compare each file in the folder with its line, and say what does not hold.

    Raises:
        NoSuchTarget: there is no manifest, or no key to check it with.
        NotPermitted: it cannot be read.
    """
    own = known_key(state)
    found = check_manifest(folder, own)
    ours = own is not None and own.fingerprint == found.key.fingerprint
    if as_json:
        for item in found.problems:
            output.emit({"path": item.path, "error": item.reason})
        summary = {"files": found.files, "problems": len(found.problems), "ended": found.ended}
        output.emit({"summary": {**summary, "key": found.key.fingerprint, "own_key": ours}})
    else:
        for item in found.problems:
            click.echo(f"does not hold: {shown(item.path)}: {shown(item.reason)}")
        files = output.counted(found.files, "file")
        click.echo(f"{files} as they were handed back; {len(found.problems):,} that do not hold.")
        if not found.ended:
            click.echo("The last run was cut short: start it again to end and sign it.")
        whose = "of this installation" if ours else "not of this installation: compare it with the one noted"
        click.echo(f"Signed with key {found.key.fingerprint} ({whose})")
    if found.problems:
        return ExitCode.FOUND
    return ExitCode.CLEAN if found.ended else ExitCode.PARTIAL
