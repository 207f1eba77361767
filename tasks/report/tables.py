"""Records as tables: CSV, safe to open in a spreadsheet, and one Parquet file."""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import polars as pl

from datasynth.schemas.record import RecordSchema
from datasynth.tasks.report.columns import OTHER
from datasynth.tasks.report.parts import CATCH_ALL, LINEAGE_COLUMN, ZSTD_LEVEL

ROWS_AT_ONCE = 50_000
"""Rows gathered before they leave memory; also those of a row group."""

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""What makes a spreadsheet take a cell for a formula, in its full-width forms too (OWASP, "CSV Injection"); white space
before it is what some programs trim."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class CsvTable:
    """Writes records as CSV (RFC 4180, UTF-8 with a byte order mark, without which Excel misreads it)."""

    def __init__(self, file: IO[bytes], schema: RecordSchema, *, with_lineage: bool) -> None:
        """Writes the header: the schema's fields; fields that it does not know stand in `_other`, as JSON text."""
        self.escaped = 0
        """Cells that got an apostrophe, so that no spreadsheet computes them."""
        self.names = [field.name for field in schema.fields if field != CATCH_ALL]
        self.catches = CATCH_ALL in schema.fields
        self.with_lineage = with_lineage
        self._file = file
        self._text = io.StringIO(newline="")
        # All texts in quotes: a separator of another locale inside a text begins no cell of its own.
        self._writer = csv.writer(self._text, quoting=csv.QUOTE_NONNUMERIC)
        file.write("\ufeff".encode())
        self._row([*self.names, *([OTHER] if self.catches else []), *([LINEAGE_COLUMN] if with_lineage else [])])

    def write(self, record: dict[str, Any], lineage: dict[str, Any]) -> None:
        """Writes a record. A field that is absent or null is an empty cell; lists and objects are JSON text."""
        cells = [record.get(name) for name in self.names]
        if self.catches:
            others = {name: value for name, value in record.items() if name not in self.names}
            cells.append(others or None)
        self._row([*cells, *([lineage] if self.with_lineage else [])])

    def _row(self, cells: list[Any]) -> None:
        self._writer.writerow([self._cell(cell) for cell in cells])
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()

    def _cell(self, value: Any) -> Any:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return "" if value is None else value
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not is_formula(text):
            return text
        self.escaped += 1
        return f"'{text}"


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take `text` for a formula; a number with its sign is none."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def write_parquet(file: IO[bytes], frames: Iterable[pl.DataFrame], *, with_lineage: bool) -> int:
    """Writes data parts as one Parquet file (zstd) and returns how many rows it holds; equal parts, equal bytes.

    The columns are as the parts have them: values that have no column type are JSON text.
    """
    rows = set_down = 0
    with tempfile.TemporaryDirectory(prefix="datasynth-") as folder:
        waiting: list[pl.DataFrame] = []
        chunks: list[Path] = []
        for frame in frames:
            waiting.append(frame if with_lineage else frame.drop(LINEAGE_COLUMN))
            rows += len(frame)
            if rows - set_down >= ROWS_AT_ONCE:
                chunks.append(_set_down(waiting, Path(folder) / f"{len(chunks):06d}.parquet"))
                waiting, set_down = [], rows
        if waiting:
            chunks.append(_set_down(waiting, Path(folder) / f"{len(chunks):06d}.parquet"))
        if chunks:
            pl.scan_parquet(chunks, glob=False).sink_parquet(
                file, compression="zstd", compression_level=ZSTD_LEVEL, row_group_size=ROWS_AT_ONCE
            )
    return rows


def _set_down(frames: list[pl.DataFrame], path: Path) -> Path:
    pl.concat(frames).write_parquet(path, compression="lz4")
    return path
