"""docs/verdicts.md and its pictures, from what one run measured."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pictures
import tables
from patterns import PATTERNS
from run import Results
from scoring import Outcome
from tables import HEADS, cells, grouped, number, percent
from uniform import RANDOM

from vigie.model import State

COLUMNS = [pattern.name for pattern in PATTERNS]


def write(results: Results, docs: Path, *, quick: bool) -> None:
    """Write the page and its pictures into `docs`; a quick run says on the page that it was one."""
    drawn = docs / "pictures"
    drawn.mkdir(exist_ok=True)
    own = [o for o in results.outcomes if not o.fixture]
    fixtures = [o for o in results.outcomes if o.fixture]
    _save(
        drawn / "verdicts-recall.svg",
        pictures.matrix("Share found, by kind of file and pattern", _matrix(own), COLUMNS),
    )
    _save(
        drawn / "verdicts-fixtures.svg", pictures.matrix("The same for fixtures", _matrix(fixtures), COLUMNS)
    )
    names = [peer.name for peer in results.peers]
    groups = {p: [peer.found[p][0] / max(1, peer.found[p][1]) for peer in results.peers] for p in COLUMNS}
    groups["false alarms on healthy files"] = [peer.alarms / max(1, peer.healthy) for peer in results.peers]
    _save(drawn / "verdicts-peers.svg", pictures.bars("Share found, beside the peers", groups, names))
    near = {p: tables.score(g) for p, g in grouped(own, lambda o: o.pattern).items()}
    ranges = {p: [row.named, row.near, row.nearest, row.overlap] for p, row in near.items()}
    words = ["pattern named right", "edges right to 4 KiB", "every edge", "blocks in common"]
    _save(drawn / "verdicts-ranges.svg", pictures.bars("How exactly it is told", ranges, words))
    (docs / "verdicts.md").write_text("\n".join(_page(results, own, quick=quick)) + "\n")


def _save(path: Path, svg: str) -> None:
    path.write_text(svg)


def _matrix(outcomes: Iterable[Outcome]) -> dict[str, list[float | None]]:
    rows = {}
    for kind, group in grouped(outcomes, lambda o: o.kind).items():
        found = {p: tables.score(g).recall for p, g in grouped(group, lambda o: o.pattern).items()}
        rows[kind.removesuffix(", fixture")] = [found.get(pattern) for pattern in COLUMNS]
    return rows


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows), ""]


def _prose(text: str) -> str:
    """A paragraph, on one line."""
    return " ".join(text.split())


def _scores(head: str, outcomes: Iterable[Outcome]) -> list[str]:
    """The rows of some outcomes by pattern."""
    rows = {pattern: tables.score(group) for pattern, group in grouped(outcomes, lambda o: o.pattern).items()}
    return _table((head, *HEADS), ((pattern, *cells(row)) for pattern, row in rows.items()))


def _page(results: Results, own: list[Outcome], *, quick: bool) -> list[str]:
    kernel = platform.release().split("-")[0]
    machine = f"{os.cpu_count()} cores, {platform.system()} {kernel}, Python {platform.python_version()}"
    origins = ", ".join(f"{count:,} {origin}" for origin, count in results.origins.items())
    text = [
        "# What the judge can tell, and what it cannot",
        "",
        "<!-- written by `python benchmarks/verdicts --page`: change the script, not this page -->",
        "",
        _prose(f"""
            Measured on {datetime.now(UTC):%d %B %Y} ({machine}), with a fixed seed{
            ", as a quick run" * quick
        }: {results.samples:,} healthy files ({origins}; {results.bytes / 1e6:,.0f} MB), each
            overwritten with random bytes in {len(PATTERNS)} ways, judged by the workers of `vigie check`.
            *Made* files come from the libraries and programs that make real ones, *machine* and *corpus*
            files nobody here wrote; *fixtures* are built byte by byte by the tests of formats that no
            program here writes: their coded parts are noise, so they are counted apart.
        """),
        "",
        "## The aim",
        "",
        _prose("""
            Found where 5 % of the bytes or more are struck: 99.9 %. Where it is less, down to 1 %: 99 %.
            A format is *known* where its anatomy claims something of a tenth of the file at least, and
            where the name or a spared head still says which format it was. The two evasions, which write
            ciphertext in other characters, have a row of their own.
        """),
        "",
        *_table(("", *HEADS), ((name, *cells(row)) for name, row in tables.reach(results.outcomes).items())),
        _prose("""
            *Named*: the pattern (full, header, intermittent, partial). *Rhythm*: on and off of regular
            patterns. *Edge error*: mean distance between told and true edges of the overwritten ranges,
            in bytes, with pieces less than 1 KiB apart counted as one. *Blocks in common*: told and true
            4 KiB blocks, intersection over union.
        """),
        "",
        "## By kind of file and pattern",
        "",
        "![Share found, by kind of file and pattern](pictures/verdicts-recall.svg)",
        "",
        *_scores("pattern", own),
        "Formats that only fixtures stand for:",
        "",
        "![Share found among fixtures](pictures/verdicts-fixtures.svg)",
        "",
        "With the files renamed to `NAME.locked`:",
        "",
        *_scores("pattern", results.renamed),
        "## How exactly it is told",
        "",
        "![Pattern, edges and blocks, by pattern](pictures/verdicts-ranges.svg)",
        "",
    ]
    if results.full:
        rows = {"a sample (default)": results.sampled, "every byte (`--full`)": results.full}
        text += ["Files from 1 MiB on, of which those beyond 8 MiB are sampled at first:", ""]
        text += _table(("read", *HEADS), ((n, *cells(tables.score(group))) for n, group in rows.items()))
    return [*text, *_peers(results), *_pieces(results), *_health(results), *_limits(results)]


def _peers(results: Results) -> list[str]:
    every = results.peers
    rows = [(p, *(percent(peer.found[p][0] / max(1, peer.found[p][1])) for peer in every)) for p in COLUMNS]
    rows.append(("**all patterns**", *(percent(peer.recall) for peer in every)))
    alarms = (percent(peer.alarms / max(1, peer.healthy)) for peer in every)
    rows.append(("**false alarms on healthy files**", *alarms))
    return [
        "## Beside the peers",
        "",
        _prose(f"""
            The rules that peers published, on the same {every[0].healthy if every else 0} files (no
            fixtures, none above 4 MiB). They are small baselines of the rule for one file at rest, not
            the products, which watch every write and add up over files; CryptoDrop's is given the version
            before, which no other gets. Sources and stand-ins: `benchmarks/verdicts/peers.py`.
        """),
        "",
        "![Share found, beside the peers](pictures/verdicts-peers.svg)",
        "",
        *_table(("pattern", *(peer.name for peer in every)), rows),
    ]


def _pieces(results: Results) -> list[str]:
    lengths = sorted({cell.length for cell in results.pieces})
    rows = []
    for coding, found in tables.by_coding(results.pieces).items():
        told = [found.get(length) for length in lengths]
        rows.append((coding, *(cell.words if cell else "–" for cell in told)))
    return [
        "## Compressed or encrypted, where no format helps",
        "",
        _prose(f"""
            The judge's test of uniformity (chi-square of the byte values of whole 4 KiB blocks, 4
            deviations) on pieces out of the middle of compressed streams. The share that *passes for
            random*: for {RANDOM} it should be 100 % (computed: 6 in 100,000 fail); for the others it is
            the false-positive rate. Below 4 KiB nothing is claimed: the test is not asked. EnCoD, a
            trained classifier, gives an accuracy of 82 % at 512 bytes and 92 % at 8 KiB. The rows near
            100 % are why the judge parses formats: statistics of bytes alone do not tell these from
            ciphertext at any length.
        """),
        "",
        *_table(("pieces of", *(f"{length:,} B" for length in lengths)), rows),
    ]


def _health(results: Results) -> list[str]:
    health = results.health
    if health is None:
        return []
    order = (State.INTACT, State.ENCRYPTED, State.DAMAGED, State.UNKNOWN)
    states = ", ".join(f"{health.states[state]:,} {state}" for state in order)
    sources = ", ".join(f"{count:,} of {source}" for source, count in health.sources.items())
    names = sorted(
        {name for name, _ in health.formats}, key=lambda n: -sum(health.formats[n, s] for s in State)
    )
    rows = [
        (n, *(f"{health.formats[n, s]:,}" if health.formats[n, s] else "·" for s in order)) for n in names
    ]
    missing = ", ".join(health.missing) or "none"
    endings = ", ".join(f"`{ending}` {count:,}" for ending, count in health.unknown.most_common(12))
    return [
        "## Healthy files",
        "",
        _prose(f"""
            {health.states.total():,} distinct files, {health.bytes / 1e9:.1f} GB, in
            {health.seconds:,.0f} s: {states}. They are {sources}. The benign twins are made for real: ZIP
            and PDF with passwords, gpg, openssl, DICOM transcoding, VACUUM, a photo import renamed in
            bulk, a compiler, `git gc`, a restic repository, archives. Not at hand: {missing}.
        """),
        "",
        *_table(("format", *(state.value for state in order)), rows),
        f"Unknown, by their most frequent endings: {endings}.",
        "",
        *(_named(health.named)),
    ]


def _named(named: list[tuple[State, str, str, str]]) -> list[str]:
    if not named:
        return []
    rank = sorted(named, key=lambda item: (item[0] is not State.ENCRYPTED, item[2], item[1]))
    rows = [(s.value, f"`{Path(path).name}`", form, evidence[:100]) for s, path, form, evidence in rank[:80]]
    heading = "Every one that is *encrypted*, and those that are *damaged* (80 of them at most):"
    return [heading, "", *_table(("verdict", "file", "format", "why"), rows)]


def _limits(results: Results) -> list[str]:
    missed = tables.missed(results.outcomes, 25)
    blind = sum(o.known and not o.found and not tables.tellable(o) for o in results.outcomes)
    nameless = sum(not o.known and o.state is State.UNKNOWN for o in results.outcomes)
    limits = (
        f"""**Bytes that may be anything** ({blind:,} misses here): what a format declares opaque (the
        inside of a legitimate encrypted container, machine code, a private binary field) may be overwritten
        without a trace. The version before tells it: `vigie guard` and `vigie timeline` have it.""",
        f"""**Files without a name** ({nameless:,} *unknown* here): a head of random bytes under an ending
        that no format has is what an unknown container looks like as well. The verdict is *unknown*, and
        says why.""",
        """**A few dozen bytes**: one piece of 64 bytes inside pixels or compressed data looks like the
        noise around it, unless a checksum stands over it; then the verdict is often *damaged*, which is
        true as far as it goes.""",
        """**Where a coding has one checksum at its end** (gzip, bzip2, zstd, solid archives), nothing
        behind the first broken place can be decoded, and compressed bytes look random by themselves: that
        the file is struck is told, how far it reaches often is not. The pattern is named from what is seen,
        and may be wrong.""",
        """**Text in base64**: a key, an attachment without its name and encrypted notes look alike; a
        `.txt` that is nothing else is *unknown*, a format that promises more is not.""",
        """**Sampling**: an attacker who knows the places that are read of a file beyond 8 MiB can avoid
        them. `--full` reads every byte.""",
    )
    rows = [(kind, pattern, state, number(count), example) for kind, pattern, state, count, example in missed]
    return [
        "## What cannot be told, and why",
        "",
        *(f"- {_prose(limit)}" for limit in limits),
        "",
        *(
            ("What could be told and was not, most frequent first:", "")
            if rows
            else ("Nothing else was missed.",)
        ),
        *(_table(("kind", "pattern", "verdict", "files", "for example"), rows) if rows else ()),
    ]
