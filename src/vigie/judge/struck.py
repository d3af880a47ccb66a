"""What of a file was struck: where its anatomy and the kernels disagree, cell by cell.

Random bytes in a structured region are hits by themselves. A flaw in coded data is one as far as it is
random, which the histograms of its blocks tell, or where several fail. What has no anatomy at all is followed
from the place where it failed, as far as the random bytes reach.
"""

from vigie.judge.kernels import BLOCK, CELL, FINE
from vigie.judge.randomness import DOTTED, Randomness, merged
from vigie.judge.shape import DENSE, MOST_RANGES, Shape, shape, with_rhythm
from vigie.model import Anatomy, Charset, Flaw, Kind, Range, Region

RUN = 128
"""Random bytes in a row that no healthy structured region holds: two cells; in 129,250 files there was never
more than one."""
LONE = 1024 * 1024
"""Bytes of a file up to which a single random cell is looked for,"""
CALM = 2048
"""and bytes of a structured region in which it stands out."""
SCATTERED = 4
"""Separate random stretches that do the same: intermittent encryption leaves hundreds."""
SEVERAL = 3
"""Chunks, members or frames that fail one by one: more than a failing disk leaves."""
TEXT_CELLS = 3
"""Text cells of 16 bytes that must be struck before a text is called encrypted."""
MANY = 16
"""Blocks of coded data whose uniformity hardly ever is chance."""
AROUND = 64 * BLOCK
"""Bytes on either side of a flaw from which it is learnt what is healthy there."""
NEAREST = BLOCK
"""Bytes behind the start of a flaw, within which its random part begins if it does not begin right there."""
NEAR = 192
"""Bytes around a failure that are looked at: the widest period of small intermittent patterns."""
MOSTLY = 0.6
"""Share of random fine cells that makes a place random; healthy structures stay below a tenth."""
SOME = DOTTED
"""The same for a place struck intermittently, where the original shows between."""


def struck_at(where: int, randomness: Randomness) -> bool:
    """Whether the bytes around an offset look random, wholly or in small steps."""
    # The first window tells a clean edge (random up to here, or from here); the second one, wider, tells
    # intermittent patterns, whose random pieces are as small as a cell.
    after = randomness.fine_share(where - where % FINE, where + CELL)
    before = randomness.fine_share(max(0, where - CELL), where + FINE)
    around = randomness.fine_share(max(0, where - NEAR - where % FINE), where + NEAR)
    return after >= MOSTLY or before >= MOSTLY or around >= SOME


def struck_text(where: int, randomness: Randomness) -> bool:
    """The same in a file that should be text: foreign alphabets look random, but hold no control bytes."""
    # One cell less than in a text that is otherwise whole: here something has failed already.
    start = max(0, where - NEAR - where % FINE)
    return cells_in(randomness.text_hits(start, where + NEAR, Charset.LATIN1)) >= TEXT_CELLS - 1


def structured_hits(anatomy: Anatomy, randomness: Randomness) -> tuple[list[Range], int]:
    """Random stretches in structured regions, and how many cells of text are among them."""
    hits: list[Range] = []
    text_cells = 0
    for region in anatomy.regions:
        if region.kind is not Kind.STRUCTURED:
            continue
        if region.charset is Charset.NONE:
            hits.extend(randomness.binary_hits(region.start, region.end))
        else:
            found = randomness.text_hits(region.start, region.end, region.charset)
            text_cells += cells_in(found)
            hits.extend(found)
    return hits, text_cells


def lone_hits(anatomy: Anatomy, randomness: Randomness) -> list[Range]:
    """One random stretch, too short to tell by itself, in a structured region that is calm everywhere else.

    Only in small files: of a large one a percent is many cells.
    """
    if randomness.size > LONE:
        return []
    return [
        hit
        for region in anatomy.regions
        if region.kind is Kind.STRUCTURED
        and region.charset is Charset.NONE
        and region.end - region.start >= CALM
        for hit in randomness.lone(region.start, region.end)
    ]


def cells_in(hits: list[Range]) -> int:
    """Cells of 16 bytes that hits cover."""
    return sum((hit.end - hit.start + FINE - 1) // FINE for hit in hits)


def telling(hits: list[Range]) -> bool:
    """Whether hits are too long, or too many, for chance."""
    return len(hits) >= SCATTERED or any(hit.end - hit.start >= RUN for hit in hits)


def random_flaws(anatomy: Anatomy, randomness: Randomness) -> tuple[list[Range], bool]:
    """The flaws that are random, as far as they are, and whether other bytes stand in between."""
    random: list[Range] = []
    mixed: list[Range] = []
    for flaw in anatomy.flaws:
        inside = _around(flaw.start, anatomy)
        if inside is not None and inside.kind is Kind.STRUCTURED:
            if _struck_there(flaw, inside, randomness):
                # Such a flaw says where the format noticed; the cells around say what was struck.
                exact = Range(flaw.start, flaw.end) if flaw.throughout else _cell(flaw.start, randomness.size)
                random.append(exact)
        elif flaw.end - flaw.start >= CELL and randomness.fine_share(flaw.start, flaw.end) >= MOSTLY:
            # Coded bytes look random anyway: only what is as uniform as chance amid them says encrypted. What
            # ends too early (an empty range) says nothing.
            parts = _random_parts(flaw, inside, randomness)
            if not parts:
                mixed.append(Range(flaw.start, flaw.end))
            else:
                random.extend(parts)
    if not random and _many(mixed, anatomy):
        return mixed, True
    return random, False


def _struck_there(flaw: Flaw, inside: Region, randomness: Randomness) -> bool:
    """Whether a flaw in a structured region is random."""
    if inside.charset is Charset.UTF16:
        start = max(0, flaw.start - NEAR - flaw.start % FINE)
        return randomness.wide_cells(start, flaw.start + NEAR) >= TEXT_CELLS - 1
    if inside.charset is not Charset.NONE:
        return struck_text(flaw.start, randomness)
    if flaw.throughout and flaw.end - flaw.start < CELL:
        # So short a header stands beside compressed data: only its own cells count.
        cells = randomness.fine(flaw.start, flaw.end)
        return cells.size > 0 and float(cells.mean()) >= MOSTLY
    return struck_at(flaw.start, randomness)


def _random_parts(flaw: Flaw, inside: Region | None, randomness: Randomness) -> list[Range] | None:
    """What of a flaw in coded data is random: nothing, parts, all of it; None: patches too fine to tell."""
    whole = Range(flaw.start, flaw.end)
    if flaw.throughout:
        if randomness.uniform(*whole) is not False:
            return [whole]
        window = randomness.uniform_window(*whole)
        return [window] if window else None
    # What the healthy data around it is like, tells what of it is not.
    start = max(whole.start - AROUND, inside.start) if inside else whole.start
    end = min(whole.end + AROUND, inside.end) if inside else whole.end
    parts = randomness.random_parts(start, max(end, whole.end))
    if parts is not None:
        met = (Range(max(part.start, whole.start), min(part.end, whole.end)) for part in parts)
        near = [part for part in met if part.end > part.start]
        if near or whole.end - whole.start >= MANY * BLOCK:
            return near
    if randomness.fine_share(flaw.start, min(flaw.end, flaw.start + RUN)) < SOME:
        # What broke it may be no random bytes, but zeros before compressed data; a long tail that is uniform
        # is no compressed data, though.
        tail = flaw.start + NEAREST
        long = flaw.end - tail >= MANY // 2 * BLOCK and randomness.uniform(tail, flaw.end)
        return [Range(tail, flaw.end)] if long else []
    end = randomness.random_until(*whole)
    if randomness.uniform(flaw.start, end) is not False:
        return [Range(flaw.start, max(end, flaw.start + CELL))]
    return None


def _many(mixed: list[Range], anatomy: Anatomy) -> bool:
    """Whether so many places are broken that no failing disk did it, though none is random throughout."""
    wide = sum(f.end - f.start for f in anatomy.flaws if f.throughout)
    return len(mixed) >= SEVERAL or wide >= SCATTERED * BLOCK


def _around(offset: int, anatomy: Anatomy) -> Region | None:
    return next((r for r in anatomy.regions if r.start <= offset < max(r.end, r.start + 1)), None)


def shaped(hits: list[Range], anatomy: Anatomy, randomness: Randomness, *, patchy: bool = False) -> Shape:
    """The shape of what is struck in a file that has an anatomy."""
    grown = _grown(merged(hits, 0), anatomy, randomness)
    found = shape(grown, randomness.size, patchy=patchy)
    if len(found.ranges) >= SCATTERED and found.period is None:
        # Odds and ends: a pattern too fine for the cells, perhaps.
        dots = [
            dot
            for region in anatomy.regions
            if region.kind is Kind.STRUCTURED and region.charset is Charset.NONE
            for dot in randomness.dotted(region.start, region.end)
        ]
        if sum(dot.end - dot.start for dot in dots) > 2 * sum(r.end - r.start for r in found.ranges):
            found = shape(merged([*grown, *dots], 0), randomness.size, patchy=True)
    return with_rhythm(found, randomness)


def _grown(hits: list[Range], anatomy: Anatomy, randomness: Randomness) -> list[Range]:
    """The hits, and what is random beside them where anything may stand: that was overwritten as well."""
    grown: list[Range] = []
    loose = [r for r in anatomy.regions if r.kind is Kind.OPAQUE and r.end - r.start >= CELL]
    for region in loose[:MOST_RANGES]:
        before = any(region.start - CELL <= hit.end <= region.start + CELL for hit in hits)
        behind = any(region.end - CELL <= hit.start <= region.end + CELL for hit in hits)
        if not (before or behind):
            continue
        end = randomness.random_until(region.start, region.end)
        if before and end - region.start >= CELL:
            grown.append(Range(region.start, end))
        elif behind and end >= region.end - CELL:
            grown.append(Range(region.start, region.end))
    return merged([*hits, *grown], 0)


def extent(where: int, randomness: Randomness, *, textual: bool) -> Shape:
    """What is struck where no anatomy says what to expect: as far as the random bytes reach."""
    size = randomness.size
    if textual:
        hits = randomness.text_hits(0, size, Charset.LATIN1) or [_cell(where, size)]
        return with_rhythm(shape(hits, size), randomness)
    hits = randomness.binary_hits(0, size)
    dense = sum(hit.end - hit.start for hit in hits) >= DENSE * size
    parts = randomness.random_parts(0, size) if dense else None
    # Parts that leave out the very place that failed are chance: it is struck in pieces finer than a block.
    if parts and any(part.start <= where < part.end for part in parts):
        return with_rhythm(shape(parts, size), randomness)
    start = 0 if where < NEAR else max(0, where - NEAR)
    for hit in merged(hits, CELL):
        if hit.start <= where + NEAR and hit.end > start:
            start = 0 if hit.start < CELL else hit.start
            break
    end = randomness.random_until(start, size)
    if end - start < RUN or (randomness.share_in(start, end) or 0.0) < DENSE:
        # Only small pieces are random, or bytes between them were left alone.
        near = randomness.dotted(0, size) or hits or [_cell(where, size)]
        return with_rhythm(shape(near, size, patchy=True), randomness)
    telling = [hit for hit in hits if hit.start >= end and hit.end - hit.start >= RUN]
    if dense:
        telling = []  # compressed behind, most likely: what of it was overwritten as well cannot be told
    mixed = end >= size - CELL and randomness.uniform(start, end) is False
    return with_rhythm(shape([Range(start, end), *telling], size, patchy=mixed), randomness)


def _cell(where: int, size: int) -> Range:
    start = max(0, where - where % FINE)
    return Range(start, max(start, min(size, start + FINE)))
