"""Who judges the records of an evaluation: the settings of a run's judge, with nobody else to be asked."""

from typing import Any

from datasynth.schemas.errors import InputError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.judge.choice import judge_endpoint

CALLS = (
    "concurrency",
    "max_retries",
    "retry_delay",
    "request_timeout",
    "requests_per_minute",
    "tokens_per_minute",
    "concurrency_limit",
)
LIMITS = ("max_cost", "max_tokens", "max_calls")


def with_judge(settings: EvaluationSettings) -> dict[str, Any]:
    """Settings of a run by which its judge is the one of `settings`; empty where nothing is judged.

    Generation is given the same model, so that no other key is looked for; it makes no call.
    """
    if not settings.judging:
        return {}
    provider = settings.judge_provider or SynthesisSettings.model_fields["provider"].default
    found = {name: getattr(settings, name) for name in (*CALLS, *LIMITS)}
    for name in ("model", "base_url", "api_key_env", "input_price", "output_price"):
        found[name] = found[f"judge_{name}"] = getattr(settings, f"judge_{name}")
    return found | {"provider": provider, "judge_provider": provider, "judges": settings.judges}


def require_judge(rules: SynthesisSettings) -> None:
    """Makes sure, before anything is done, that the judge can be asked and that the budget can hold.

    Raises:
        InputError: unknown provider, no model, no key, or a budget in dollars and nobody knows the price.
    """
    if not rules.judging:
        return
    try:
        judge_endpoint(rules)
    except InputError as error:
        raise InputError(
            "The judge cannot be asked. {problem} (Here these options begin with --judge-: --judge-provider, "
            "--judge-base-url.)",
            problem=error.message,
        ) from error
