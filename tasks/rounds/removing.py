"""Records taken out of a run that has ended, so that a crash at any moment leaves a run that can be read.

    <store>/<dataset>/runs/<run>/removed.json              which, and why: from here on they count as gone
                                /removed/part-00001.parquet  the records themselves, with their lineage
                                /data/part-00001.parquet     written anew without them, whole or not at all

In this order. Until the last part is written, whoever reads parts leaves out what `removed.json` names. Manifest,
report, ledger, plan and index files stay as they are: they say what the run made.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import polars as pl

from datasynth.schemas.removal import Removals, Removed
from datasynth.tasks.report.parts import LINEAGE_COLUMN, part_parquet, read_part
from datasynth.tasks.rounds.runs import part_path
from datasynth.tasks.storage.store import Store

LIST = "removed.json"


def removals_of(folder: Store) -> Removals:
    """What was taken out of the run in `folder`."""
    try:
        return Removals.model_validate_json(folder.read(LIST))
    except FileNotFoundError:
        return Removals()


def take_out(folder: Store, removed: Sequence[Removed]) -> None:
    """Takes `removed` out of the run in `folder`, and ends what an earlier call was interrupted at."""
    known = removals_of(folder)
    by_place = {(one.round, one.call, one.position): one for one in (*removed, *known.records)}
    records = tuple(by_place[place] for place in sorted(by_place))
    pending = tuple(sorted({*known.pending, *(part_path("data", one.round) for one in removed)}))
    if not pending:
        return
    folder.write(LIST, Removals(records=records, pending=pending).model_dump_json().encode())
    for path in pending:
        _write_anew(folder, path, records)
    folder.write(LIST, Removals(records=records).model_dump_json().encode())


def without_removed(frame: pl.DataFrame, removed: Iterable[Removed]) -> pl.DataFrame:
    """A data part without the records that were taken out of its run."""
    return frame.filter(~_named(frame, removed))


def _write_anew(folder: Store, path: str, removed: Sequence[Removed]) -> None:
    """Moves what is `removed` from the data part at `path` to the part of the same name below `removed/`."""
    frame = read_part(folder.read(path))
    named = _named(frame, removed)
    if not named.any():
        return  # done by an earlier process
    aside = "removed/" + path.removeprefix("data/")
    try:
        earlier = [read_part(folder.read(aside))]
    except FileNotFoundError:
        earlier = []
    # An earlier process may have put the same ones there and died.
    gone = pl.concat([*(_except(part, frame.filter(named)) for part in earlier), frame.filter(named)])
    folder.write(aside, part_parquet(gone))
    folder.write(path, part_parquet(frame.filter(~named)))


def _except(part: pl.DataFrame, again: pl.DataFrame) -> pl.DataFrame:
    """`part` without the records that stand in `again` too."""
    places = set(_places(again))
    return part.filter(pl.Series([place not in places for place in _places(part)], dtype=pl.Boolean))


def _named(frame: pl.DataFrame, removed: Iterable[Removed]) -> pl.Series:
    """bool: which rows of a data part are among `removed`."""
    by_round: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    for one in removed:
        by_round[one.round].add((one.call, one.position))
    flags = [(call, position) in by_round[number] for number, call, position in _places(frame)]
    return pl.Series(flags, dtype=pl.Boolean)


def _places(frame: pl.DataFrame) -> list[tuple[int, int, int]]:
    """Round, call and position of each row."""
    origins = frame[LINEAGE_COLUMN].struct.unnest()
    return list(origins.select("round", "call", "position").iter_rows())
