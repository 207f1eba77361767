"""`--dry-run` and `estimate`: what a run would do and cost. No model is asked and Prefect is not imported."""

from datasynth.cli.speech import out
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import DataKind
from datasynth.schemas.record import Field
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.source import Source, endpoint_without_key, endpoint_without_model, read_source
from datasynth.tasks.dedup.contamination import read_evaluation_set
from datasynth.tasks.dedup.views import views_for
from datasynth.tasks.judge.choice import AnyKey, judge_endpoint, judge_settings
from datasynth.tasks.judge.estimate import with_usual_judging
from datasynth.tasks.llm.batch_choice import tier_of
from datasynth.tasks.llm.endpoints import Endpoint, takes_temperature
from datasynth.tasks.llm.prices import Price, price_of
from datasynth.tasks.quality.screening import QualityChecks, checks_for
from datasynth.tasks.report.summary import dollars, forbidding_sentence, unknown_meaning_sentence
from datasynth.tasks.rounds.estimate import estimate_run, estimate_without_recipe
from datasynth.tasks.rounds.unknown_meanings import unknown_before
from datasynth.tasks.semantic.embedders import compares_meanings, embedding_price
from datasynth.tasks.storage.named import is_named

KINDS: dict[DataKind, Message] = {
    "instruction_response": say("instruction and response"),
    "preference": say("preference pairs"),
    "multi_turn": say("conversations"),
    "generic": say("generic records"),
}
MOST_PROBLEMS = 5


def show_plan(settings: SynthesisSettings) -> None:
    """Says what a run with `settings` would work from, ask for and cost.

    Raises:
        InputError: the source, the provider or the model cannot be used; a missing key is only mentioned.
    """
    source = read_source(settings)
    checks = checks_for(source.recipe, source.detection, settings)
    endpoint, missing_key = endpoint_without_key(settings)
    price = price_of(endpoint, settings)
    estimate = estimate_run(source.recipe, source.detection, settings, endpoint.model, price)
    views_for(source.recipe.record_schema, source.detection, settings.dedup_on)  # refuses what is no field
    sets = [read_evaluation_set(path) for path in settings.decontaminate]
    show_source(source)
    for one in sets:
        out(say("Checked against: {path} ({count} items)", path=one.path, count=f"{len(one.names):,}"))
    if settings.validate_records:
        _show_checks(checks)
    out(say("Model: {model}", model=model_in_words(endpoint)))
    _show_missing_key(missing_key)
    if settings.judging:
        _show_judge(settings)
    for line in (*options_without_effect(settings, endpoint), *meaning_lines(settings, source)):
        out(line)
    show_estimate(
        estimate, price_line(estimate, price, endpoint, batch=settings.batch_api), target=settings.target_count
    )
    if settings.max_cost is not None and (estimate.cost_usd or 0) > settings.max_cost:
        out(say("  More than --max-cost allows ({limit}): the run would stop there.", limit=dollars(settings.max_cost)))
    if settings.approve_over is not None and (estimate.cost_usd or 0) > settings.approve_over:
        limit = dollars(settings.approve_over)
        out(say("  More than --approve-over allows ({limit}): the run would end after its pilot.", limit=limit))
    out(say("Dry run: no model was asked."))


def _show_checks(checks: QualityChecks) -> None:
    out(say("Content checks: {names}", names=", ".join(checks.names) or "-"))
    for check, place in sorted({(check, place) for check, place, _ in checks.allowed}):
        out(say("  {check}: what a seed does in {field} is allowed there", check=check, field=place))


def _show_judge(settings: SynthesisSettings) -> None:
    # Finds a price that is missing for --max-cost, which generate would refuse too.
    endpoint, _ = judge_endpoint(settings, AnyKey())
    _, missing_key = endpoint_without_key(judge_settings(settings))
    _show_judging_model(settings, endpoint)
    _show_missing_key(missing_key)


def _show_judging_model(settings: SynthesisSettings, endpoint: Endpoint) -> None:
    least = "-" if settings.min_quality is None else f"{settings.min_quality:g}"
    out(
        say(
            "Judge: {model}, judgements of a record: {judges}, least quality: {least}",
            model=model_in_words(endpoint),
            judges=settings.judges,
            least=least,
        )
    )


def _show_missing_key(variable: str | None) -> None:
    if variable:
        out(say("  The environment variable {variable} is not set; generate will need it.", variable=variable))


def show_source(source: Source) -> None:
    """Says what a run works from: schema, kind of data and why, seeds used and left out."""
    recipe, detection = source.recipe, source.detection
    out(say("Recipe: {name} ({source})", name=recipe.name, source=recipe.source))
    out(say("Fields: {fields}", fields=", ".join(map(described, recipe.record_schema.asked))))
    out(say("Kind of data: {kind} ({words})", kind=detection.kind, words=KINDS[detection.kind]))
    for reason in detection.reasons:
        out(say("  because: {reason}", reason=reason))
    for line in seed_lines(source):
        out(line)
    guidelines = len(recipe.guidelines)
    out(say("Guidelines: {count} characters", count=f"{guidelines:,}") if guidelines else say("Guidelines: none"))
    out(say("Language: {language}", language=recipe.language))


def model_in_words(endpoint: Endpoint) -> Message:
    """Which model answers, and where."""
    if endpoint.simulated:
        return say("the simulated model server (no language model)")
    return say("{model} at {provider}", model=endpoint.model, provider=endpoint.provider.name)


def options_without_effect(settings: SynthesisSettings, endpoint: Endpoint) -> list[Message]:
    """What was asked for and the model will not do."""
    if "temperature" not in settings.model_fields_set or takes_temperature(endpoint):
        return []
    return [say("{model} takes no temperature: --temperature has no effect.", model=endpoint.model)]


def meaning_lines(settings: SynthesisSettings, source: Source) -> list[Message]:
    """Of how many records of earlier runs nothing semantic is known; none where all are known or none need be.

    A store that is named by a block is left to the run: only Prefect knows where it is.
    """
    if not compares_meanings(settings):
        return []
    embedding_price(settings)  # refuses a budget in dollars where it is unknown
    if is_named(settings.store or ""):
        return []
    unknown = unknown_before(settings, source.recipe)
    return [unknown_meaning_sentence(unknown)] if unknown else []


def seed_lines(source: Source) -> list[Message]:
    """How many seeds can be used, and which not, and why."""
    recipe = source.recipe
    used, left_out = len(recipe.seeds), recipe.seed_problems
    lines = [say("Seeds: {used} used, {left_out} left out", used=used, left_out=len({p.seed for p in left_out}))]
    lines += [
        say("  {seed}: {field}: {reason}", seed=p.seed, field=p.field or "-", reason=p.reason)
        for p in left_out[:MOST_PROBLEMS]
    ]
    if len(left_out) > MOST_PROBLEMS:
        lines.append(say("  and {count} more", count=len(left_out) - MOST_PROBLEMS))
    lines += recipe.seed_notes
    lines += map(forbidding_sentence, recipe.guidelines_left_out)
    if not used:
        lines.append(say("  No seed is usable: records are made from the schema alone."))
    return lines


def described(field: Field) -> str:
    """A field as `name (type)`, with a question mark where it may be missing."""
    kind = f"{field.items.type}[]" if field.type == "array" and field.items else field.type
    return f"{field.name}{'' if field.required else '?'} ({kind})"


def show_estimate(estimate: Estimate, price: Message, *, target: int) -> None:
    """Says what a run should take."""
    out(say("Records wanted: {count}", count=f"{target:,}"))
    out(say("Calls: about {calls}", calls=f"{estimate.calls:,}"))
    out(
        say(
            "Tokens: about {input} in, {output} out",
            input=f"{estimate.input_tokens:,}",
            output=f"{estimate.output_tokens:,}",
        )
    )
    out(price)
    if estimate.judging_calls:
        out(
            say(
                "  of these the judge: {calls} calls, {tokens} tokens, {cost}",
                calls=f"{estimate.judging_calls:,}",
                tokens=f"{estimate.judging_tokens:,}",
                cost=say("price unknown") if estimate.judging_usd is None else dollars(estimate.judging_usd),
            )
        )
    if estimate.embedding_calls:
        out(
            say(
                "  of these the vectors: {calls} calls, {tokens} tokens, {cost}",
                calls=f"{estimate.embedding_calls:,}",
                tokens=f"{estimate.embedding_tokens:,}",
                cost=say("price unknown") if estimate.embedding_usd is None else dollars(estimate.embedding_usd),
            )
        )


def price_line(estimate: Estimate, price: Price | None, endpoint: Endpoint, *, batch: bool) -> Message:
    """The expected price, or that nobody knows it."""
    if price is None or estimate.cost_usd is None:
        return say("Price: unknown for this model. Give --input-price and --output-price (USD per million tokens).")
    if price.source == "free":
        if endpoint.simulated:
            return say("Price: nothing, for no language model is asked")
        return say("Price: nothing, the model runs on your own machine")
    figures = {"cost": dollars(estimate.cost_usd), "input": f"{price.input:f}", "output": f"{price.output:f}"}
    if batch and price.source == "genai-prices":
        return say(
            "Price: about {cost} at batch prices (one by one ${input} in, ${output} out per million tokens)", **figures
        )
    return say("Price: about {cost} (${input} in, ${output} out per million tokens)", **figures)


def show_rule_of_thumb(settings: SynthesisSettings) -> None:
    """Says what so many records usually take, without a recipe to go by, and where no model is named, in tokens."""
    endpoint = endpoint_without_model(settings)
    price = price_of(endpoint, settings)
    estimate = estimate_without_recipe(settings.target_count, settings.batch_size, price, tier=tier_of(settings))
    if endpoint.model:
        out(say("Model: {model}", model=model_in_words(endpoint)))
    else:
        out(say("Model: not given, and {provider} has no default", provider=endpoint.provider.name))
    if settings.judging:
        own = judge_settings(settings)
        judge = endpoint_without_model(own)
        estimate = with_usual_judging(estimate, settings, price_of(judge, own))
        if judge.model:
            _show_judging_model(settings, judge)
    if endpoint.model or price:
        shown = price_line(estimate, price, endpoint, batch=settings.batch_api)
    else:
        shown = say("Price: it depends on the model. Give --model.")
    show_estimate(estimate, shown, target=settings.target_count)
    out(
        say(
            "A rule of thumb: 2,000 tokens of prompt a call, 500 a record. datasynth generate DIR --dry-run counts "
            "the real prompts."
        )
        if not settings.judging
        else say(
            "A rule of thumb: 2,000 tokens of prompt a call, 500 a record; 1,500 of prompt a judgement, which reads "
            "five records. datasynth generate DIR --dry-run counts the real prompts."
        )
    )
