"""The files that the sibling tools read, in the earlier tool's forms, streamed part by part.

`synthetic.json` holds metadata, the schema's own document and the samples; `synthetic.jsonl` the bare records. Both are
what `knowlyr-datasynth` 0.4 wrote and its `--resume` reads back, and what `knowlyr-datacheck validate` accepts.
"""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import orjson
import polars as pl

from datasynth.schemas.errors import RunError, StorageError
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import OutputFormat, SynthesisSettings
from datasynth.tasks.report.parts import read_part, read_records, record_ids
from datasynth.tasks.storage.store import Store

Identified = tuple[str, dict[str, Any]]
"""A record's id and the record."""


def records_of(parts: Iterable[bytes | pl.DataFrame], schema: RecordSchema) -> Iterator[Identified]:
    """The records of data parts with their ids, in order; one part is in memory at a time."""
    for part in parts:
        frame = read_part(part)
        yield from zip(record_ids(frame), read_records(frame, schema), strict=True)


def synthetic_metadata(report: RunReport, *, generated_at: str, version: str) -> dict[str, Any]:
    """The `metadata` of synthetic.json. The cost is None where the price is unknown; only `generated_at` is a time."""
    metadata = {
        "generated_at": generated_at,
        "generator": "DataSynth",
        "version": version,
        "config": {
            "model": report.model,
            "provider": report.provider,
            "temperature": _setting(report, "temperature"),
            "diversity_factor": _setting(report, "diversity_factor"),
        },
        "seed_count": report.seeds_used,
        "generated_count": report.total,
        "total_tokens": report.spend.usage.total,
        "estimated_cost_usd": report.spend.cost_usd,
    }
    return metadata | {"simulated": True} if report.simulated else metadata


def _setting(report: RunReport, name: str) -> Any:
    # A report may hold only the settings that differ from the defaults.
    return report.settings.get(name, SynthesisSettings.model_fields[name].default)


def export_records(
    target: str,
    records: Iterable[Identified],
    *,
    output_format: OutputFormat,
    metadata: dict[str, Any],
    schema_document: Any,
) -> int:
    """Writes `target` (a path or fsspec address), whole or not at all, and returns how many records it holds.

    Args:
        target: The file; a local one is written beside itself and renamed, others are made in a local temporary file
            and uploaded at once. What stood there before is replaced.
        records: See `records_of`.
        output_format: `json` (with metadata and schema) or `jsonl` (bare records, without ids that are not theirs).
        metadata: See `synthetic_metadata`. If it states a `generated_count`, that many records must come.
        schema_document: The schema as its source wrote it.

    Raises:
        RunError: `generated_count` is not the number of records.
        StorageError: the file cannot be written.
    """
    with whole_file(target) as file:
        written = (
            _write_lines(file, records)
            if output_format == "jsonl"
            else _write_document(file, records, metadata, schema_document)
        )
        require_stated(target, written, metadata.get("generated_count", written))
    return written


def require_stated(target: str, written: int, stated: int) -> None:
    """Makes sure, while `target` is not yet in its place, that it holds as many records as it should.

    Raises:
        RunError: it does not.
    """
    if written != stated:
        raise RunError(
            "{path} would hold {written} records, but the run counted {stated}. It was not written; please "
            "report this.",
            path=target,
            written=written,
            stated=stated,
        )


def statistics_path(target: str) -> str:
    """Where the statistics of the output file `target` are: `x.json` -> `x.stats.json`."""
    return f"{os.path.splitext(target)[0]}.stats.json"


def write_statistics(target: str, statistics: dict[str, Any]) -> str:
    """Writes field statistics beside the output file `target`; returns their address."""
    beside = statistics_path(target)
    with whole_file(beside) as file:
        file.write(json.dumps(statistics, indent=2, ensure_ascii=False).encode())
    return beside


_ON_ONE_LINE = json.JSONEncoder(ensure_ascii=False).encode


def _write_lines(file: IO[bytes], records: Iterable[Identified]) -> int:
    written = 0
    for _, record in records:
        file.write(_ON_ONE_LINE(record).encode() + b"\n")
        written += 1
    return written


def _write_document(file: IO[bytes], records: Iterable[Identified], metadata: dict[str, Any], schema: Any) -> int:
    head = json.dumps({"metadata": metadata, "schema": schema}, indent=2, ensure_ascii=False)
    file.write(head.removesuffix("\n}").encode() + b',\n  "samples": [')
    written = 0
    for record_id, record in records:
        sample = _indented({"id": record_id, "data": record, "synthetic": True})
        file.write((b",\n    " if written else b"\n    ") + sample.replace(b"\n", b"\n    "))
        written += 1
    file.write(b"\n  ]\n}" if written else b"]\n}")
    return written


def _indented(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except TypeError:  # an integer beyond 64 bits: legal JSON, only slower to write
        return json.dumps(value, indent=2, ensure_ascii=False).encode()


@contextmanager
def whole_file(target: str) -> Iterator[IO[bytes]]:
    """A file to write to that appears at `target` when the block ends well, and leaves no trace when it does not.

    Raises:
        InputError: the address has an unknown protocol.
        StorageError: the file cannot be written.
    """
    store = Store(target)
    try:
        with _local_file(store.root) if store.local else _uploaded_file(store) as file:
            yield file
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: str, error: Exception) -> StorageError:
    return StorageError(
        "Cannot write {path}: {error}. Check the address, the free space and the permissions or keys.",
        path=target,
        error=f"{type(error).__name__}: {error}",
    )


@contextmanager
def _local_file(path: str) -> Iterator[IO[bytes]]:
    # A link stays a link: what it points to is replaced.
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@contextmanager
def _uploaded_file(store: Store) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile(prefix="datasynth-") as file:
        yield file
        file.flush()
        try:
            store.fs.put_file(file.name, store.root)
        except Exception as error:  # each file system has errors of its own
            raise _unwritable(store.url(), error) from error
