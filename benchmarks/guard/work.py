"""A machine at its ordinary work, and the benign twins of an attack, under a guard that may stop anybody.

Nobody may be stopped, and hardly anything told. Programs that are not here are named and left out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attacker import name, text
from watching import Watching

FILES = 2000


def measured(runs: int) -> Iterator[dict[str, Any]]:
    """A row a piece of work."""
    del runs
    with tempfile.TemporaryDirectory(prefix="vigie-guard-") as folder:
        place, share = Path(folder), Path(folder) / "share"
        (share / "letters").mkdir(parents=True)
        for number in range(FILES):
            (share / "letters" / name(number)).write_bytes(text(number))
        with Watching([share], place / "state", "--contain") as guard:
            for words, work in WORK.items():
                mark, began = len(guard.events), time.monotonic()
                problem = _done(work, share)
                took = time.monotonic() - began
                time.sleep(2)
                incidents = [e for e in guard.events[mark:] if e["event"] == "incident"]
                yield {
                    "work": words,
                    "seconds": round(took, 1),
                    "stopped": sum(event["acts"] for event in incidents),
                    "told": sum(not event["acts"] for event in incidents),
                    "left out": problem or "; ".join(event["reason"] for event in incidents),
                }


def _done(work: Callable[[Path], None], share: Path) -> str:
    try:
        work(share)
    except FileNotFoundError as error:
        return f"{error.filename} is not here"
    except subprocess.CalledProcessError as error:
        return f"{error.cmd[0]} ended with {error.returncode}"
    return ""


def _run(*words: str | Path, cwd: Path | None = None, **more: str) -> None:
    subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        check=True,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=600,
    )


def _rsync(share: Path) -> None:
    _run("cp", "-a", "/usr/lib/python3", share / "copied")
    _run("cp", "-a", "/usr/share/doc", share / "documents")


def _venv(share: Path) -> None:
    _run(sys.executable, "-m", "venv", share / "venv")
    _run(share / "venv/bin/python", "-m", "compileall", "-q", "-f", share / "venv/lib")


def _git(share: Path) -> None:
    here = Path(__file__).resolve().parents[2]
    _run("git", "clone", "-q", "--no-hardlinks", here, share / "clone")
    _run("git", "repack", "-q", "-a", "-d", "-f", cwd=share / "clone")
    _run("git", "gc", "-q", "--prune=now", cwd=share / "clone")


def _unpack(share: Path) -> None:
    packages = sorted(Path("/var/cache/apt/archives").glob("*.deb"))[:40]
    if not packages:
        raise FileNotFoundError(2, "", "a package in /var/cache/apt/archives")
    (share / "packages").mkdir()
    for number, package in enumerate(packages):
        _run("dpkg-deb", "-x", package, share / "packages" / str(number))


def _zip(share: Path) -> None:
    for number in range(30):
        _run("zip", "-q", "-P", "secret", share / f"sent-{number}.zip", share / "letters" / name(number))


def _gpg(share: Path) -> None:
    home = share.parent / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    for number in range(30):
        out = share / f"sent-{number}.gpg"
        words = (
            "gpg",
            "--batch",
            "--yes",
            "--homedir",
            home,
            "--passphrase",
            "x",
            "--pinentry-mode",
            "loopback",
        )
        _run(*words, "--symmetric", "--output", out, share / "letters" / name(number))


def _backup(share: Path) -> None:
    repository = share / "restic"
    secret = {
        "RESTIC_PASSWORD": "x",
        "RESTIC_REPOSITORY": str(repository),
        "RESTIC_CACHE_DIR": str(share / "c"),
    }
    _run("restic", "init", **secret)
    _run("restic", "backup", share / "letters", **secret)
    _run("restic", "forget", "--keep-last", "1", "--prune", **secret)


def _database(share: Path) -> None:
    base = share / "practice.sqlite"
    _run(
        "sqlite3",
        base,
        "create table t as with recursive c(n) as (select 1 union all select n+1 from c "
        "where n<200000) select n, hex(randomblob(20)) as w from c; delete from t where n%2; vacuum;",
    )


def _postgres(share: Path) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise FileNotFoundError(2, "", "PostgreSQL")
    bin_, data = found[-1], share / "postgres"
    data.mkdir()
    shutil.chown(data, "postgres")
    for folder in (share.parent, share):
        folder.chmod(0o755)
    socket = f"-k {data} -c listen_addresses="
    su = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    _run(*su, bin_ / "initdb", "-D", data)
    _run(*su, bin_ / "pg_ctl", "-D", data, "-o", socket, "-w", "-l", data / "log", "start")
    try:
        _run(*su, bin_ / "createdb", "-h", data, "bench")
        _run(*su, bin_ / "pgbench", "-h", data, "-i", "-s", "5", "bench")
        _run(*su, bin_ / "pgbench", "-h", data, "-c", "4", "-T", "15", "bench")
        _run(*su, bin_ / "pg_dump", "-h", data, "-Fc", "-f", data / "dump", "bench")
    finally:
        _run(*su, bin_ / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def _rename(share: Path) -> None:
    for number in range(1000, FILES):
        path = share / "letters" / name(number)
        path.rename(path.with_name(f"2026-11-24 letter {number}.txt"))


def _compile(share: Path) -> None:
    source = share / "source"
    source.mkdir()
    for number in range(100):
        (source / f"{number}.c").write_text(f"int f{number}(int a) {{ return a * {number}; }}\n")
        _run("gcc", "-O2", "-c", source / f"{number}.c", "-o", source / f"{number}.o")


def _archive(share: Path) -> None:
    _run("tar", "-cJf", share / "letters.tar.xz", "-C", share, "letters")
    _run("tar", "-xJf", share / "letters.tar.xz", "-C", share.parent)
    _run("rm", "-r", share / "letters")


WORK: dict[str, Callable[[Path], None]] = {
    "copying /usr/lib/python3 and /usr/share/doc": _rsync,
    "a virtual environment, compiled": _venv,
    "git clone, repack, gc": _git,
    "packages unpacked": _unpack,
    "30 ZIPs with passwords": _zip,
    "30 files through gpg": _gpg,
    "restic: init, backup, forget, prune": _backup,
    "SQLite: 200,000 rows, VACUUM": _database,
    "PostgreSQL: initdb, pgbench, pg_dump": _postgres,
    "gcc, 100 files": _compile,
    "1,000 files renamed": _rename,
    "tar and xz, and rm -r of what was packed": _archive,
}
