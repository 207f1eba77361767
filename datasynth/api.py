"""DataSynth from Python: the same flow that the command line calls.

    from datasynth import SynthEngine

    result = SynthEngine(model="...").generate(analysis_dir="analysis", target_count=100, concurrency=3)

What goes wrong with a run stands in its result (`success`, `error`), as in the earlier tool; a name that is no
setting is a mistake in the program and raised.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from datasynth import caller, prefect_setup
from datasynth.config import OnProgress, SynthesisConfig
from datasynth.interactive import Pasted, read_pasted, require_something, save_pasted
from datasynth.launch import launch, with_run_id
from datasynth.outputs import check_writable
from datasynth.prefect_api import with_blocks
from datasynth.progress import Callback
from datasynth.schemas.errors import DataSynthError
from datasynth.schemas.messages import Message, language_of_environment, say
from datasynth.schemas.report import Estimate, RunReport
from datasynth.schemas.settings import OutputFormat, SynthesisSettings
from datasynth.settings_input import checked_settings, settings_name
from datasynth.source import endpoint_without_key, read_source
from datasynth.tasks.llm.endpoints import resolve_endpoint
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.prompt.render import interactive_prompt
from datasynth.tasks.rounds.estimate import estimate_run

PathLike = str | os.PathLike[str]
Schema = dict[str, Any] | type[BaseModel]
"""`{"fields": [...]}`, a JSON Schema, or a Pydantic model class."""
Seeds = Sequence[dict[str, Any] | BaseModel]


@dataclass
class SynthesisResult:
    """What became of a run."""

    success: bool = True
    """All records asked for were made."""
    error: str = ""
    """Why not."""
    output_path: str = ""
    generated_count: int = 0
    """Records in the data set, those of resumed runs included."""
    failed_count: int = 0
    """Records that did not fit the schema, or were asked for and never arrived."""
    dedup_count: int = 0
    """Records left out as duplicates."""
    total_tokens: int = 0
    estimated_cost: float = 0.0
    """The same as `cost_usd`, under the earlier tool's name."""
    duration_seconds: float = 0.0
    stats: dict[str, Any] | None = None
    """Statistics by field, as `synthetic.stats.json` holds them."""
    cost_usd: float = 0.0
    """What was paid, from the usage that the API returned; `math.nan` where nobody knows the model's price."""
    report: RunReport | None = field(default=None, repr=False)
    """All facts of the run, as in `report.json`: where the data set is, every round, what was lost and why."""


class SynthEngine:
    """Makes data sets with one model."""

    def __init__(self, model: str | None = None, provider: str = "anthropic", **settings: Any) -> None:
        """
        Args:
            model: By default the provider's, where it has one.
            provider: A preset, such as `anthropic` or `simulated`.
            settings: Any other field of `SynthesisSettings`, for every run of this engine.

        Raises:
            InputError: there is no such setting.
        """
        self.settings = {"model": model, "provider": provider} | _named_settings(settings, "SynthEngine")

    def generate(
        self,
        analysis_dir: PathLike | None = None,
        target_count: int | None = None,
        *,
        on_progress: OnProgress | None = None,
        **settings: Any,
    ) -> SynthesisResult:
        """Makes records from a DataRecipe analysis or, with `schema_file` or `record_schema`, from any schema.

        `record_schema` may be a Pydantic model class, and `seeds` objects of it. Records then fit its JSON Schema;
        validators that are Python code are not run.

        Args:
            analysis_dir: Folder or address of the analysis.
            target_count: Records wanted; 100 if nothing else is said.
            on_progress: Called from another thread with the records accepted and wanted.
            settings: Any other field of `SynthesisSettings`, for this run.

        Raises:
            InputError: there is no such setting.
        """
        values = self._values(analysis_dir, target_count, settings)
        return _result_of(lambda: _finished(checked_settings(values), on_progress))

    def estimate(
        self, analysis_dir: PathLike | None = None, target_count: int | None = None, **settings: Any
    ) -> Estimate:
        """What `generate` with the same arguments should take. Asks no model and needs no key.

        Raises:
            InputError: the source, a setting, the provider or the model cannot be used.
        """
        checked = with_blocks(checked_settings(self._values(analysis_dir, target_count, settings)))
        source, (endpoint, _) = read_source(checked), endpoint_without_key(checked)
        return estimate_run(source.recipe, source.detection, checked, endpoint.model, price_of(endpoint, checked))

    def _values(
        self, analysis_dir: PathLike | None, target_count: int | None, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        values = self.settings | _named_settings(settings, "generate")
        if analysis_dir is not None:
            values["analysis_dir"] = os.fspath(analysis_dir)
        if target_count is not None:
            values["target_count"] = target_count
        return values


class DataSynthesizer:
    """Makes data sets as a `SynthesisConfig` says; the earlier tool's class."""

    def __init__(self, config: SynthesisConfig | None = None) -> None:
        self.config = config or SynthesisConfig()

    def synthesize(
        self,
        schema: Schema,
        seed_samples: Seeds,
        output_path: PathLike,
        target_count: int | None = None,
        guidelines: str | None = None,
        on_progress: OnProgress | None = None,
        output_format: OutputFormat = "json",
        resume: bool = False,
    ) -> SynthesisResult:
        """Makes records from a schema (a list of fields, a JSON Schema or a Pydantic model class) and seeds."""
        return self._run(
            on_progress,
            target_count,
            record_schema=schema,
            seeds=list(seed_samples),
            output=os.fspath(output_path),
            guidelines=guidelines,
            output_format=output_format,
            resume=resume,
        )

    def synthesize_from_datarecipe(
        self,
        analysis_dir: PathLike,
        output_path: PathLike | None = None,
        target_count: int | None = None,
        on_progress: OnProgress | None = None,
        output_format: OutputFormat = "json",
        resume: bool = False,
    ) -> SynthesisResult:
        """Makes records from a DataRecipe analysis; by default into its folder `11_合成数据`."""
        return self._run(
            on_progress,
            target_count,
            analysis_dir=os.fspath(analysis_dir),
            output=None if output_path is None else os.fspath(output_path),
            output_format=output_format,
            resume=resume,
        )

    def _run(self, on_progress: OnProgress | None, target_count: int | None, **values: Any) -> SynthesisResult:
        _named_settings(self.config.settings, "SynthesisConfig.settings")
        if target_count:
            values["target_count"] = target_count
        return _result_of(lambda: _finished(self.config.run_settings(**values), on_progress))


class InteractiveSynthesizer:
    """Makes records by hand: a prompt for any chat, and the reading of its reply. No model is called."""

    def prepare_synthesis(
        self,
        schema: Schema,
        seed_samples: Seeds,
        count: int = 10,
        guidelines: str | None = None,
        data_type: str = "auto",
    ) -> dict[str, Any]:
        """A prompt for `count` records.

        Returns:
            prompt, expected_count, schema (as a JSON value), instructions (what to do with the prompt, for people).

        Raises:
            InputError: the schema or a value cannot be used.
        """
        settings = checked_settings(
            {
                "record_schema": schema,
                "seeds": list(seed_samples),
                "target_count": count,
                "guidelines": guidelines,
                "data_type": data_type,
            }
        )
        source = read_source(settings)
        advice = say("Make records as the prompt says, then give the answer to parse_result.")
        return {
            "prompt": interactive_prompt(source.recipe, source.detection, settings, count),
            "expected_count": count,
            "schema": settings.record_schema,
            "instructions": advice.text(language_of_environment()),
        }

    def parse_result(
        self,
        response_text: str,
        schema: Schema,
        output_path: PathLike,
        seed_samples: Seeds = (),
    ) -> SynthesisResult:
        """Reads a reply, leaves out what does not fit the schema or repeats a seed, and saves the rest."""

        def read() -> SynthesisResult:
            settings = checked_settings({"record_schema": schema, "seeds": list(seed_samples)})
            source, target = read_source(settings), os.fspath(output_path)
            check_writable(target)
            pasted = read_pasted(response_text, source.recipe, source.detection, settings)
            require_something(pasted)
            if pasted.kept:
                save_pasted(
                    pasted, source.recipe.model_copy(update={"schema_document": settings.record_schema}), target
                )
            return _pasted_result(pasted, target)

        return _result_of(read)


def _pasted_result(pasted: Pasted, target: str) -> SynthesisResult:
    problems = " ".join(map(_in_words, (*pasted.invalid, *pasted.duplicates))) or pasted.trouble
    return SynthesisResult(
        success=bool(pasted.kept),
        error="" if pasted.kept else problems,
        output_path=target if pasted.kept else "",
        generated_count=len(pasted.kept),
        failed_count=len(pasted.invalid) + pasted.lost,
        dedup_count=len(pasted.duplicates),
    )


def _named_settings(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {settings_name(name, where=where): value for name, value in settings.items()}


def _in_words(message: Message) -> str:
    return message.text(language_of_environment())


def _result_of(work: Callable[[], SynthesisResult]) -> SynthesisResult:
    began = time.monotonic()
    try:
        result = work()
    except DataSynthError as error:
        result = SynthesisResult(success=False, error=_in_words(error.message))
    result.duration_seconds = time.monotonic() - began
    return result


def _finished(settings: SynthesisSettings, on_progress: OnProgress | None) -> SynthesisResult:
    settings = with_blocks(settings)
    source = read_source(settings)
    resolve_endpoint(settings)
    if settings.output:
        check_writable(settings.output)
    settings, _ = with_run_id(settings, source.recipe)
    return _result(launch(settings, prefect_setup.begin(), caller.begin(settings), Callback(on_progress)))


def _result(report: RunReport) -> SynthesisResult:
    rejected = report.counts.rejected
    invalid, duplicates = (
        sum(n for reason, n in rejected.items() if reason.startswith(f"{step}.")) for step in ("validate", "dedup")
    )
    cost = math.nan if report.spend.cost_usd is None else report.spend.cost_usd
    return SynthesisResult(
        success=not report.fell_short,
        error=_in_words(report.explanation) if report.fell_short else "",
        output_path=report.output or "",
        generated_count=report.total,
        failed_count=invalid + sum(report.counts.missing.values()),
        dedup_count=duplicates,
        total_tokens=report.spend.usage.total,
        estimated_cost=cost,
        stats={"total_samples": report.total, "fields": report.fields},
        cost_usd=cost,
        report=report,
    )
