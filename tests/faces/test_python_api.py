"""The Python API: the earlier tool's names and forms, and what needs no model."""

import dataclasses
import inspect
import json
import math
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel
from small_inputs import FIELDS, SEEDS

import datasynth
from datasynth import DataSynthesizer, InteractiveSynthesizer, SynthEngine, SynthesisConfig, SynthesisResult
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings

SCHEMA = {"project_name": "kitchen", "fields": FIELDS}
EARLIER_CONFIG = (
    "target_count model provider temperature diversity_factor batch_size max_retries retry_delay concurrency validate "
    "seed_sample_count data_type max_tokens_per_sample"
)
EARLIER_RESULT = (
    "success error output_path generated_count failed_count dedup_count total_tokens estimated_cost duration_seconds "
    "stats"
)
EARLIER_METHODS = {
    DataSynthesizer.synthesize: (
        "self schema seed_samples output_path target_count guidelines on_progress output_format resume"
    ),
    DataSynthesizer.synthesize_from_datarecipe: (
        "self analysis_dir output_path target_count on_progress output_format resume"
    ),
    InteractiveSynthesizer.prepare_synthesis: "self schema seed_samples count guidelines data_type",
    InteractiveSynthesizer.parse_result: "self response_text schema output_path",
}


def test_every_exported_name_is_there():
    assert all(getattr(datasynth, name) for name in datasynth.__all__)
    assert set(datasynth.__all__) <= set(dir(datasynth))


def test_a_name_that_is_not_exported_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = datasynth.nonsense


def test_the_earlier_module_of_the_synthesizers_still_has_them():
    from datasynth import synthesizer

    assert synthesizer.InteractiveSynthesizer is InteractiveSynthesizer


def test_the_config_has_the_earlier_fields_in_their_order():
    names = [field.name for field in dataclasses.fields(SynthesisConfig)]
    assert names[: len(EARLIER_CONFIG.split())] == EARLIER_CONFIG.split()


def test_the_result_has_the_earlier_fields_in_their_order():
    names = [field.name for field in dataclasses.fields(SynthesisResult)]
    assert names[: len(EARLIER_RESULT.split())] == EARLIER_RESULT.split()


@pytest.mark.parametrize("method", EARLIER_METHODS, ids=lambda method: method.__name__)
def test_a_method_takes_the_earlier_arguments_in_their_order(method):
    names = EARLIER_METHODS[method].split()
    assert list(inspect.signature(method).parameters)[: len(names)] == names


def test_the_configs_defaults_are_those_of_the_settings():
    assert SynthesisConfig().run_settings(analysis_dir=".") == SynthesisSettings.model_validate({"analysis_dir": "."})


def test_other_settings_go_through_the_config():
    config = SynthesisConfig(validate=False, settings={"max_cost": 5, "base_url": "http://localhost:1/v1"})
    found = config.run_settings(analysis_dir=".")
    assert (found.validate_records, found.max_cost, found.base_url) == (False, 5, "http://localhost:1/v1")


def test_a_wrong_value_in_the_config_is_named_as_the_config_names_it():
    with pytest.raises(InputError, match=r"^validate: perhaps is not allowed\. Give true or false\.$"):
        SynthesisConfig(validate="perhaps").run_settings(analysis_dir=".")  # pyright: ignore[reportArgumentType]


def test_the_configs_estimate_has_the_earlier_keys():
    assert SynthesisConfig(provider="simulated").estimate_cost(12) == {
        "target_count": 12,
        "estimated_batches": 3,
        "estimated_input_tokens": 6000,
        "estimated_output_tokens": 6000,
        "estimated_cost_usd": 0.0,
        "model": "simulated",
        "provider": "simulated",
    }


def test_an_unknown_price_is_no_number():
    config = SynthesisConfig(provider="openai", model="no-such-model")
    assert math.isnan(config.estimate_cost()["estimated_cost_usd"])


def test_an_estimate_with_a_recipe_needs_no_key(analysis: Path):
    estimate = SynthEngine().estimate(analysis, 100)
    assert estimate.calls == 20
    assert estimate.cost_usd


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"analysis_dir": "/no/such/folder"}, "/no/such/folder: no such folder, or nothing in it. Check the path."),
        ({"analysis_dir": ".", "target_count": -1}, "target_count: -1 is not allowed."),
        ({}, "Give exactly one source of records"),
    ],
)
def test_what_goes_wrong_with_a_run_stands_in_its_result(arguments: dict, message: str):
    result = SynthEngine(provider="simulated").generate(**arguments)
    assert not result.success
    assert result.error.startswith(message)


def test_a_missing_key_stands_in_the_result_with_its_variable(analysis: Path):
    assert "ANTHROPIC_API_KEY is not set" in SynthEngine().generate(analysis).error


@pytest.mark.parametrize("call", [lambda: SynthEngine(modle="x"), lambda: SynthEngine().generate(".", modle="x")])
def test_a_name_that_is_no_setting_is_raised(call):
    with pytest.raises(InputError, match=r"there is no setting modle\. Did you mean model\?"):
        call()


def test_the_older_synthesizer_says_what_went_wrong_in_its_result(analysis: Path, tmp_path: Path):
    result = DataSynthesizer().synthesize(SCHEMA, SEEDS, tmp_path / "out.json", target_count=2)
    assert "ANTHROPIC_API_KEY is not set" in result.error
    shutil.copytree(analysis / "04_复刻指南", tmp_path / "copy/04_复刻指南")
    assert "ANTHROPIC_API_KEY" in DataSynthesizer().synthesize_from_datarecipe(tmp_path / "copy").error


def test_a_prepared_prompt_has_the_earlier_keys():
    prepared = InteractiveSynthesizer().prepare_synthesis(SCHEMA, SEEDS, count=4)
    assert set(prepared) == {"prompt", "expected_count", "schema", "instructions"}
    assert "rubbery" in prepared["prompt"]
    assert (prepared["expected_count"], prepared["schema"]) == (4, SCHEMA)


def test_a_parsed_reply_is_saved_with_the_schema_as_given(tmp_path: Path):
    reply = json.dumps(
        [{"instruction": "How long does pasta boil?", "response": "About nine minutes."}, {"instruction": "Only"}]
    )
    result = InteractiveSynthesizer().parse_result(reply, SCHEMA, tmp_path / "new/out.json")
    saved = json.loads((tmp_path / "new/out.json").read_text())
    assert (result.success, result.generated_count, result.failed_count) == (True, 1, 1)
    assert saved["schema"] == SCHEMA
    assert saved["samples"][0]["id"] == "SYNTH_0001"


def test_a_parsed_reply_that_repeats_a_seed_leaves_it_out(tmp_path: Path):
    result = InteractiveSynthesizer().parse_result(json.dumps(SEEDS[:1]), SCHEMA, tmp_path / "out.json", SEEDS)
    assert (result.success, result.dedup_count) == (False, 1)
    assert "a duplicate of seed 1" in result.error
    assert not (tmp_path / "out.json").exists()


class Fact(BaseModel):
    question: str
    answer: int


def test_a_pydantic_model_is_as_good_as_its_json_schema(tmp_path: Path):
    synthesizer, seeds = InteractiveSynthesizer(), [Fact(question="Two and two?", answer=4)]
    prepared = synthesizer.prepare_synthesis(Fact, seeds, count=3)
    assert prepared == synthesizer.prepare_synthesis(Fact.model_json_schema(), [seeds[0].model_dump()], count=3)
    reply = '[{"question": "Three and three?", "answer": 6}, {"question": "And?", "answer": "?"}]'
    result = synthesizer.parse_result(reply, Fact, tmp_path / "out.json", seeds)
    assert (result.generated_count, result.failed_count) == (1, 1)


def test_an_estimate_takes_a_pydantic_model():
    assert SynthEngine(provider="simulated").estimate(target_count=10, record_schema=Fact).calls == 2
