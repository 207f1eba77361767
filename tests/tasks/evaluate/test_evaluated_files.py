"""A file of records evaluated: what is counted, and what is written when."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from evaluated import GOOD, REFUSES, evaluated, worked_on, written

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.tasks.evaluate import conclusion, opening
from datasynth.tasks.evaluate.conclusion import concluded
from datasynth.tasks.storage.store import Store

BAD = {"instruction": "Which knife for bread?", "response": "One with teeth.", "level": "medium"}


def files(folder: Path) -> dict[str, bytes]:
    """All files of the evaluation, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_record_is_counted_once_and_named_with_its_reasons(tmp_path: Path) -> None:
    found = evaluated(**written(tmp_path, [*GOOD, BAD, REFUSES, GOOD[0]]))
    validity = found.validity
    assert (validity.records, validity.fit, validity.valid) == (6, 5, 4)
    assert {reason.check: reason.records for reason in validity.reasons} == {"enum": 1, "refusal": 1}
    assert [reason.examples[0].record for reason in validity.reasons] == ["#4", "#5"]
    assert (found.repeats.repeating, found.repeats.exact, found.repeats.seeds) == (1, 1, None)
    table = pl.read_parquet(f"{found.url}/records.parquet")
    assert table["record"].to_list() == [f"#{n}" for n in range(1, 7)]
    assert table["valid"].to_list() == [True, True, True, False, False, True]
    assert table["reasons"].to_list() == [[], [], [], ["enum"], ["refusal"], []]
    assert table["repeats"].to_list() == [None] * 5 + ["#1"]


def test_records_that_repeat_a_seed_are_told_apart(tmp_path: Path) -> None:
    settings = written(tmp_path, GOOD)
    (tmp_path / "seeds.json").write_text(json.dumps(GOOD[:2]))
    found = evaluated(**settings, seeds_file=str(tmp_path / "seeds.json"), max_near_duplicates=0.0)
    assert (found.verdict, found.repeats.repeating, found.repeats.seeds) == ("passed", 0, 2)
    assert pl.read_parquet(f"{found.url}/records.parquet")["repeats"].to_list() == ["seed 1", "seed 2", None]


@pytest.mark.parametrize("name", ["r.jsonl", "r.parquet"])
def test_the_same_records_in_another_form_are_found_the_same(name: str, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [*GOOD, BAD, REFUSES]
    expected = evaluated(**written(tmp_path, records))
    if name.endswith("jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, records)))
    else:
        pl.DataFrame(records).write_parquet(tmp_path / name)
    settings = {"data": str(tmp_path / name), "schema_file": str(tmp_path / "schema.json"), "id": "e2"}
    found = evaluated(**settings)
    assert found.validity == expected.validity
    assert found.diversity == expected.diversity


def test_no_record_is_valid_and_it_is_still_evaluated(tmp_path: Path) -> None:
    found = evaluated(**written(tmp_path, [BAD]), min_valid=0.5)
    assert (found.verdict, found.diversity, found.validity.share) == ("failed", None, 0.0)


def test_a_second_evaluation_under_the_same_id_changes_no_byte(tmp_path: Path) -> None:
    settings = written(tmp_path, [*GOOD, BAD])
    first = evaluated(**settings)
    before = files(tmp_path / "evaluations")
    assert evaluated(**settings) == first
    assert files(tmp_path / "evaluations") == before
    assert set(before) == {"e1/evaluation.json", "e1/evaluation.md", "e1/records.parquet"}


def test_other_findings_under_the_same_id_take_the_place_of_the_former(tmp_path: Path) -> None:
    evaluated(**written(tmp_path, [*GOOD, BAD]))
    assert evaluated(**written(tmp_path, GOOD)).validity.records == 3
    facts = json.loads((tmp_path / "evaluations/e1/evaluation.json").read_bytes())
    assert facts["validity"]["records"] == pl.read_parquet(tmp_path / "evaluations/e1/records.parquet").height == 3


class Full(Store):
    """A storage that takes so many files and no more."""

    room = 0

    def write(self, path: str, data: bytes) -> None:
        if not Full.room:
            raise StorageError("no space left")
        Full.room -= 1
        super().write(path, data)


@pytest.mark.parametrize("room", [0, 1, 2])
def test_stopped_while_it_writes_it_leaves_no_facts_and_done_again_it_is_whole(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated(**written(tmp_path, GOOD))
    settings = EvaluationSettings.model_validate(written(tmp_path, [*GOOD, BAD]))
    subject = worked_on(settings)
    whole = conclusion.write_evaluation
    with monkeypatch.context() as patch:
        patch.setattr(conclusion, "write_evaluation", lambda folder, *rest: whole(Full(folder.address()), *rest))
        patch.setattr(Full, "room", room)
        with pytest.raises(StorageError):
            concluded(subject, None, [])
    assert not (tmp_path / "evaluations/e1/evaluation.json").exists()
    assert concluded(subject, None, []).validity.records == 4
    assert not (tmp_path / "evaluations/e1/work").exists()


def test_a_file_that_changes_meanwhile_is_evaluated_as_it_was(tmp_path: Path) -> None:
    subject = opening.open_evaluation(EvaluationSettings.model_validate(written(tmp_path, GOOD)), None)
    written(tmp_path, [])
    assert [len(rows) for rows in subject.rows(subject.parts)] == [3]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"PAR1", "no whole Parquet file"), (None, "there is nothing")],
)
def test_a_file_that_is_no_whole_one_is_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    settings = written(tmp_path, GOOD) | {"data": str(tmp_path / "x.parquet")}
    if content:
        (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InputError, match=words):
        evaluated(**settings)


def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    settings = written(tmp_path, GOOD) | {"data": str(tmp_path / "x.parquet")}
    pl.DataFrame(GOOD).write_parquet(tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no whole Parquet file"):
        evaluated(**settings)


def test_a_file_without_a_schema_is_refused_with_what_to_give(tmp_path: Path) -> None:
    settings = written(tmp_path, GOOD)
    del settings["schema_file"]
    with pytest.raises(InputError, match=r"--analysis DIR.*--schema FILE"):
        evaluated(**settings)


@pytest.mark.parametrize("id_", ["journal", "runs", "../x", "a b"])
def test_an_id_that_would_mean_another_folder_is_refused(id_: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be the id"):
        evaluated(**written(tmp_path, GOOD) | {"id": id_})
