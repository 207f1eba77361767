"""Text from models, seeds and users inside Markdown: shown, never interpreted."""

import re
from collections.abc import Sequence

LONGEST = 300
"""Characters of one value; the whole of it is in report.json."""

_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks by which a text can show its neighbours in another order (Unicode TR 36, section 2.6)."""
_ACTIVE = re.compile(
    r"[\\`*\[\]<>|~&@]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.|:(?=//)|(?<=mailto):|(?<=xmpp):", re.IGNORECASE
)
"""What can begin a construct inside a line (an underscore inside a word cannot) or make a bare address a link (GFM
0.29, section 6.9); any ASCII punctuation may be escaped (CommonMark 0.31, section 2.4)."""
_START = re.compile(r"^(\d*)([-+=.)#])")
"""What makes a line a list, a rule or a heading."""


def plain(text: str, *, longest: int = LONGEST) -> str:
    """`text` on one line of at most `longest` characters, with nothing in it that Markdown or HTML would interpret."""
    escaped = _START.sub(r"\1\\\2", _ACTIVE.sub(r"\\\g<0>", _one_line(text, longest)))
    # A formula, where one is rendered, needs two of them.
    return escaped.replace("$", "\\$") if escaped.count("$") > 1 else escaped


def code(text: str) -> str:
    """`text` as a code span for a table cell."""
    line = _one_line(text)
    if not line:
        return ""
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {line} " if line.startswith("`") or line.endswith("`") else line
    # Inside a table a pipe ends the cell, in a code span too, unless escaped (GFM 4.10).
    return f"{fence}{padded}{fence}".replace("|", "\\|")


def _one_line(text: str, longest: int = LONGEST) -> str:
    line = _REORDERING.sub("", _INVISIBLE.sub(" ", text)).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    """Lines of a GFM table from cells that are already Markdown; columns in `numbers` are set flush right."""
    rule = ["---:" if i in numbers else "---" for i in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
