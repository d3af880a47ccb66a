"""The tables of the terminal."""

import run
import tables
from healthy import Health
from rich.console import Console
from rich.table import Table
from tables import HEADS, cells, grouped, percent

from vigie.model import State


def attacks(results: run.Results, out: Console) -> None:
    """What the attacks gave."""
    out.print(
        f"{results.samples} samples, {results.bytes / 1e6:.0f} MB, {results.known} of a known format:",
        dict(results.origins),
    )
    for state, name, form, evidence in results.wrong:
        out.print(f"untouched, yet {state}: {name} ({form}): {evidence}", soft_wrap=True, markup=False)
    out.print(
        _scores(
            "by pattern",
            {p: tables.score(group) for p, group in grouped(results.outcomes, lambda o: o.pattern).items()},
        )
    )
    out.print(
        _scores(
            "by kind of file",
            {k: tables.score(group) for k, group in grouped(results.outcomes, lambda o: o.kind).items()},
        )
    )
    out.print(
        _scores(
            "renamed to NAME.locked",
            {p: tables.score(group) for p, group in grouped(results.renamed, lambda o: o.pattern).items()},
        )
    )
    if results.full:
        out.print(
            _scores(
                "files from 1 MiB on",
                {
                    "sampled (default)": tables.score(results.sampled),
                    "every byte (--full)": tables.score(results.full),
                },
            )
        )
    out.print(_scores("the aim: 99.9 % at 5 %, 99 % at 1 %", tables.reach(results.outcomes)))
    _peers(results, out)
    missed = Table(
        "kind", "pattern", "verdict", "files", "for example", title="what could be told and was not"
    )
    for kind, pattern, verdict, count, example in tables.missed(results.outcomes):
        missed.add_row(kind, pattern, verdict, str(count), example)
    out.print(missed)


def _scores(title: str, rows: dict[str, tables.Score]) -> Table:
    table = Table("", *HEADS, title=title)
    for name, row in rows.items():
        table.add_row(name, *cells(row))
    return table


def _peers(results: run.Results, out: Console) -> None:
    every = results.peers
    table = Table("pattern", *(peer.name for peer in every), title="found, beside the peers")
    for pattern in every[0].found:
        table.add_row(
            pattern, *(percent(peer.found[pattern][0] / max(1, peer.found[pattern][1])) for peer in every)
        )
    table.add_row("all patterns", *(percent(peer.recall) for peer in every), end_section=True)
    table.add_row(
        "false alarms on healthy files", *(percent(peer.alarms / max(1, peer.healthy)) for peer in every)
    )
    out.print(table)


def pieces(results: run.Results, out: Console) -> None:
    """What passes for random, by the length of the piece."""
    lengths = sorted({cell.length for cell in results.pieces})
    table = Table(
        "pieces of", *(f"{length:,}" for length in lengths), title="pass for random bytes, by length in bytes"
    )
    for coding, found in tables.by_coding(results.pieces).items():
        told = [found.get(length) for length in lengths]
        table.add_row(coding, *(cell.words if cell else "–" for cell in told))
    out.print(table)


def health(found: Health, out: Console) -> None:
    """What the healthy files gave."""
    for verdict, path, form, evidence in found.named:
        out.print(f"{verdict}: {path}: {form}: {evidence}", soft_wrap=True, markup=False)
    table = Table("format", *(state.value for state in State))
    for name in sorted(
        {name for name, _ in found.formats}, key=lambda n: -sum(found.formats[n, s] for s in State)
    ):
        table.add_row(name, *(str(found.formats[name, state] or "·") for state in State))
    out.print(table)
    out.print(
        f"{found.states.total():,} distinct files, {found.bytes / 1e9:.2f} GB, {found.seconds:.0f} s;",
        f"{found.twice:,} met twice, {found.skipped} not read",
    )
    out.print(", ".join(f"{source} {count:,}" for source, count in found.sources.items()))
    out.print("twins that no program here makes:", ", ".join(found.missing) or "none")
    out.print("states:", ", ".join(f"{state} {count:,}" for state, count in found.states.items()))
    out.print(
        "unknown, the most frequent endings:",
        ", ".join(f"{e} {n:,}" for e, n in found.unknown.most_common(12)),
    )
