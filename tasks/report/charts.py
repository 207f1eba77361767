"""Plots as inline SVG: small, without scripts, in the colours of the page they stand in.

Matplotlib draws with stand-in colours, which are then replaced by the page's CSS variables, so that one plot serves
light and dark. Text stays text, so that the reader's own fonts draw it, Chinese too.
"""

import io
import logging
import re
import threading
import unicodedata
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from datasynth.schemas.measures import Coverage, Distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.6
"""Inches of a plot, 72 units each: shown 340 pixels wide, a text of 8 units is one of 10.5 pixels."""
SMALL, NORMAL = 7.6, 8.4
LONGEST_LABEL = 26
"""Columns of a label (a Chinese character takes two), so that it leaves room for the bars."""

INK, MUTED, LINE, ACCENT, SEED = "#010203", "#010204", "#010205", "#010206", "#010207"
COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SEED: "var(--seed)",
}

_lock = threading.Lock()
"""Matplotlib's settings are the process's, and reports may be written in several threads."""


def distribution_svg(shown: Distribution, other: str, name: str) -> Markup:
    """The output's shares as bars and the seeds' as marks: lying for categories, standing for numbers and lengths.

    Args:
        shown: What to draw.
        other: What to call the records in none of the bins.
        name: Of the plot, for those who cannot see it.
    """
    return _categories_svg(shown, other, name) if shown.what == "category" else _histogram_svg(shown, name)


def _categories_svg(shown: Distribution, other: str, name: str) -> Markup:
    labels = [*shown.labels, other] if shown.others else list(shown.labels)
    output = _shares([*shown.output, shown.others] if shown.others else shown.output)
    seeds = _shares([*shown.seeds, 0] if shown.others else shown.seeds)
    short = [label_text(label) for label in labels]
    margin = min(0.5, 0.05 + max(map(columns_of, short), default=0) * 0.0205)
    figure, axes = _figure(0.32 + 0.25 * len(labels), left=margin, right=0.12, bottom=0.05, top=0.05)
    top = max([*output, *seeds, 0.01])
    for place, (text, share) in enumerate(zip(short, output, strict=True)):
        axes.barh(place, share, height=0.62, color=ACCENT, linewidth=0, clip_on=False)
        _text(axes, -0.025 * top, place, text, ha="right", va="center", size=NORMAL)
        _text(axes, max(share, seeds[place]) + 0.03 * top, place, _percent(share), ha="left", va="center", color=MUTED)
        if any(shown.seeds):
            axes.plot([seeds[place]] * 2, [place - 0.4, place + 0.4], color=SEED, linewidth=2, clip_on=False)
    axes.set_xlim(0, top * 1.02)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axis("off")
    return _svg(figure, name)


def _histogram_svg(shown: Distribution, name: str) -> Markup:
    output, seeds = _shares(shown.output), _shares(shown.seeds)
    labels = [label_text(label) for label in shown.labels]
    count = len(labels)
    slanted = sum(map(columns_of, labels)) > 40
    below = 0.14 + 0.042 * max(map(columns_of, labels)) if slanted else 0.27
    figure, axes = _figure(1.3 + below, left=0.1, right=0.02, bottom=below / (1.3 + below), top=0.06)
    width = 0.86 if count > 3 else 0.5
    axes.bar(range(count), output, width=width, color=ACCENT, linewidth=0, clip_on=False)
    for place, share in enumerate(seeds):
        if share:
            axes.plot([place - 0.46, place + 0.46], [share] * 2, color=SEED, linewidth=2, clip_on=False)
    _share_axis(axes, max([*output, *seeds, 0.01]))
    axes.set_xlim(-0.55, count - 0.45)
    bottom = -0.05 * axes.get_ylim()[1]
    every = 1 if count <= 13 else 2
    for place in range(0, count, every):
        turn: dict[str, Any] = (
            {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {"ha": "center"}
        )
        _text(axes, place, bottom, labels[place], va="top", color=MUTED, **turn)
    return _svg(figure, name)


def rounds_svg(accepted: Sequence[float], duplicates: Sequence[float], names: tuple[str, str], name: str) -> Markup:
    """Shares, round by round, of two kinds of outcome: 0 to 1, at least two rounds."""
    figure, axes = _figure(1.9, left=0.1, right=0.03, bottom=0.14, top=0.12)
    rounds = range(1, len(accepted) + 1)
    marker = "o" if len(rounds) <= 30 else ""
    for shares, colour in ((accepted, ACCENT), (duplicates, SEED)):
        axes.plot(
            rounds, shares, color=colour, clip_on=False, linewidth=1.6, marker=marker, markersize=3.6, markeredgewidth=0
        )
    _share_axis(axes, max(*accepted, *duplicates, 0.05))
    axes.set_xlim(1 - 0.03 * len(rounds), len(rounds) * 1.03)
    step = max(1, -(-len(rounds) // 10))
    for place in range(1, len(rounds) + 1, step):
        _text(axes, place, -0.05 * axes.get_ylim()[1], f"{place}", ha="center", va="top", color=MUTED)
    for text, colour, at, side in ((names[0], ACCENT, 0.0, "left"), (names[1], SEED, 1.0, "right")):
        _text(axes, at, 1.04, text, ha=side, va="bottom", color=colour, size=NORMAL, transform=axes.transAxes)
    return _svg(figure, name)


def coverage_svg(grid: Coverage, other: str, name: str) -> Markup:
    """Records in every cell of a grid, as a heat map with its figures; the attribute with more values downwards."""
    rows, columns, counts = _upright(grid)
    down = [label_text(text or other) for text in rows]
    across = [label_text(text or (other if grid.column_name else "")) for text in columns]
    left = min(0.42, 0.05 + max(map(columns_of, down)) * 0.0205)
    room = (0.98 - left) * WIDTH / len(across) * 13
    turned = max(map(columns_of, across)) > room
    head = 0.1 + 0.09 * max(map(columns_of, across)) * 0.75 if turned else 0.24
    height = head + 0.25 * len(down) + 0.04
    figure, axes = _figure(height, left=left, right=0.02, bottom=0.04 / height, top=head / height)
    most = max((n for row in counts for n in row), default=0) or 1
    for r, row in enumerate(counts):
        _text(axes, -0.03 * len(across), r, down[r], ha="right", va="center", size=NORMAL)
        for c, n in enumerate(row):
            _cell(axes, c, r, n, most, figures=len(across) <= 12)
    for c, text in enumerate(across):
        turn: dict[str, Any] = {"rotation": 60, "ha": "left", "rotation_mode": "anchor"} if turned else {"ha": "center"}
        _text(axes, c + (0.4 if turned else 0.5), -0.62, text, va="bottom", size=NORMAL, **turn)
    axes.set_xlim(0, len(across))
    axes.set_ylim(len(down) - 0.5, -0.5)
    axes.axis("off")
    return _svg(figure, name)


def _cell(axes: "Axes", column: int, row: int, count: int, most: int, *, figures: bool) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 (heavy)

    place, size = (column + 0.02, row - 0.46), (0.96, 0.92)
    if count:
        # Never so deep that the figure in it cannot be read.
        patch = Rectangle(place, *size, facecolor=ACCENT, alpha=0.08 + 0.5 * count / most, linewidth=0)
    else:
        patch = Rectangle(place, *size, fill=False, edgecolor=LINE, linewidth=0.8)
    patch.set_clip_on(False)
    axes.add_patch(patch)
    patch.set_clip_path(None)
    if figures:
        colour = INK if count else MUTED
        _text(axes, column + 0.5, row, f"{count:,}", ha="center", va="center", color=colour)


def _upright(grid: Coverage) -> tuple[Sequence[str], Sequence[str], Sequence[Sequence[int]]]:
    if not turned_upright(grid):
        return grid.rows, grid.columns, grid.counts
    return grid.columns, grid.rows, list(zip(*grid.counts, strict=True))


def turned_upright(grid: Coverage) -> bool:
    """Whether the plot of `grid` has its columns downwards, because they are more."""
    return len(grid.columns) > len(grid.rows)


def label_text(text: str) -> str:
    """A value as a label: on one line, cut to what there is room for."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    while columns_of(line) > LONGEST_LABEL:
        line = line[: -2 if line.endswith("…") else -1].rstrip("…") + "…"
    return line


def columns_of(text: str) -> int:
    """Columns that a text takes, a full-width character two (Unicode Standard Annex 11)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [n / total for n in counts]


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 or not share else f"{share:.1%}"


def _figure(height: float, *, left: float, right: float, bottom: float, top: float) -> tuple["Figure", "Axes"]:
    """A figure with one plot in it; margins as shares of the figure."""
    # Matplotlib takes a second to import and no other face of the program needs it.
    from matplotlib.figure import Figure  # noqa: PLC0415

    # It would tell whoever waits for records that it builds a cache of fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((left, bottom, 1 - left - right, 1 - bottom - top))
    axes.patch.set_visible(False)
    return figure, axes


def _share_axis(axes: "Axes", top: float) -> None:
    """A scale of percentages with hairlines and nothing else."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if top / s <= 4.2 or s == 0.25)
    axes.set_ylim(0, top * 1.04)
    for k in range(int(top * 1.04 / step) + 1):
        axes.axhline(k * step, color=LINE, linewidth=0.7, zorder=0, clip_on=False)
        _text(axes, -0.02, k * step, f"{k * step:.0%}", ha="right", va="center", color=MUTED, transform="share")
    axes.axis("off")


def _text(axes: "Axes", x: float, y: float, text: str, *, size: float = SMALL, color: str = INK, **where: Any) -> None:
    if where.get("transform") == "share":
        where["transform"] = axes.get_yaxis_transform()
    # Not as a formula: "$" is a sign of money, or whatever a model wrote.
    axes.text(x, y, text, fontsize=size, color=color, parse_math=False, **where)


def _svg(figure: "Figure", name: str) -> Markup:
    from matplotlib import rc_context  # noqa: PLC0415 (heavy)

    buffer = io.StringIO()
    # Nothing is measured with the fonts of this machine that the reader would see, so their gaps do not matter.
    with _lock, warnings.catch_warnings(), rc_context({"svg.fonttype": "none", "svg.hashsalt": "datasynth"}):
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue(), name)


_TAG = re.compile("<[a-z]+ [^<>]*>")
"""An opening tag; text cannot look like one, for Matplotlib has escaped it."""


def _inline(document: str, name: str) -> Markup:
    """The `svg` element of a document, without what only a file of its own needs, in the page's colours."""
    body = document[document.index("<svg ") :]
    # Its style sheet would hold for the whole page; page.css says the same for plots alone.
    body = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>|<!--.*?-->", "", body, flags=re.DOTALL)
    opening, body = body.split(">", 1)
    view_box = re.search(r'viewBox="([0-9. ]*)"', opening)
    body = re.sub(r"\n\s*", "\n", _TAG.sub(_for_the_page, body))
    start = Markup('<svg viewBox="{}" role="img" aria-label="{}">').format(view_box.group(1) if view_box else "", name)
    return start + Markup(body)  # noqa: S704 (Matplotlib has escaped all text)


def _for_the_page(tag: re.Match[str]) -> str:
    """An opening tag in the page's colours and fonts, without the numbered ids that other plots have too."""
    text = re.sub(r' id="[a-z0-9]+_\d+"| font-family: [^;"]*;| transform="rotate\(-?0 [^"]*\)"', "", tag.group())
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text
