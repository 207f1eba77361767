"""What steering brings: unique accepted records, niches and cost, by three ways of prompting, at the same calls.

    python benchmarks/quality_diversity.py [--calls 1000] [--collapse 0.8] [--seeds 0 1 2]

The model is simulated and has collapsed onto favourite answers (`tasks/llm/simulated/favourites.py` says how); it
reacts to the text of a prompt alone. Everything else is what a run does, in this process and without Prefect: plan,
prompts, replies, parsing, validation, near-duplicates, archive. The ways:

- plain: no aims; seeds in rotation. What `--diversity 0` does.
- random attributes: each call aims at values drawn at random (AttrPrompt, Yu et al. 2023, arXiv:2306.15895).
- rotation: each call aims at the next cell of a balanced grid; what a first round does.
- archive: rotation at first, then steered by what was accepted and refused.

Cost is by the prices of a small hosted model, the static part of a prompt read from the cache: USD 0.10, 1.00 and 5.00
per million tokens cached, input, output. Niches are cells of the grid with at least one accepted record.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import orjson
import polars as pl

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.archive import Archive, Findings, Made, Refused, new_archive
from datasynth.tasks.archive.space import draws, options
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.views import views_for
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.llm.simulated.faults import fate_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.replies import Ask, answer, tokens
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.sizing import round_calls
from datasynth.tasks.validate.validator import judge

CACHED, INPUT, OUTPUT = 0.1e-6, 1e-6, 5e-6
"""USD a token."""
BATCH = 5

TOPICS = ("orders", "delivery", "returns", "payment", "account", "warranty", "invoices", "membership")
FIELDS = (
    Field(name="question", description="What a customer asks"),
    Field(name="answer", description="What the shop's staff answer"),
    Field(name="topic", enum=TOPICS),
    Field(name="difficulty", enum=("easy", "medium", "hard")),
    Field(name="channel", enum=("chat", "mail", "phone", "shop")),
)
SEEDS = (
    ("My parcel has not moved for three days. What can I do?", "Please check the number; we ask the carrier today."),
    ("Can I send back a jacket that I wore once?", "Yes, within 30 days, if the label is still on it."),
    ("The refund shows as done but my card has nothing.", "Cards take up to seven working days; send us the number."),
    ("Two of the six cups arrived broken, may I keep the rest?", "Of course. Send us a photo, we post two new ones."),
    ("Do my points expire when the membership ends?", "Points are kept for 24 months, whatever happens to it."),
    ("Please put our company's new address on the invoice.", "Done. You find the new one in your account."),
)


def shop(channels: int = 4) -> Recipe:
    """A recipe of 24 niches for each of the channels, and six seeds."""
    seeds = tuple(
        {"question": q, "answer": a, "topic": topic, "difficulty": "easy", "channel": "chat"}
        for (q, a), topic in zip(
            SEEDS, ("delivery", "returns", "payment", "orders", "membership", "invoices"), strict=True
        )
    )
    fields = (*FIELDS[:-1], Field(name="channel", enum=FIELDS[-1].enum[:channels] if FIELDS[-1].enum else None))
    return Recipe(name="shop", record_schema=RecordSchema(fields=fields), seeds=seeds)


Planner = Callable[[Sequence[PlannedCall], Archive, SynthesisSettings], Sequence[PlannedCall]]


def as_planned(calls: Sequence[PlannedCall], _archive: Archive, _settings: SynthesisSettings) -> Sequence[PlannedCall]:
    return calls


def at_random(calls: Sequence[PlannedCall], archive: Archive, settings: SynthesisSettings) -> Sequence[PlannedCall]:
    """Attributes drawn anew for each call, as AttrPrompt does."""
    drawn = []
    for call in calls:
        draw = draws(archive.space.key, "random attributes", settings.random_seed, call.index)
        grid = archive.grids[call.index % len(archive.grids)]
        picked = [(axis, draw.choice(options(axis))) for axis in grid]
        drawn.append(replace(call, aim={axis.name: axis.values[i] for axis, i in picked if i < len(axis.values)}))
    return drawn


@dataclass(frozen=True)
class Way:
    """One way of prompting."""

    name: str
    diversity: float
    planner: Planner = as_planned
    steered: bool = False


WAYS = (
    Way("plain", 0.0),
    Way("random attributes", 0.5, at_random),
    Way("rotation", 0.5),
    Way("archive", 0.5, steered=True),
    Way("archive, diversity 1", 1.0, steered=True),
)


@dataclass
class Tally:
    """What one way brought."""

    calls: int = 0
    accepted: int = 0
    cost: float = 0.0
    planning: float = 0.0
    """Seconds that plans took."""
    niches: dict[tuple[int, ...], int] = field(default_factory=dict)


class Trial:
    """One run of one way, in this process."""

    def __init__(self, recipe: Recipe, way: Way, knobs: Knobs, *, seed: int, concurrency: int = 16) -> None:
        self.recipe, self.way, self.knobs = recipe, way, knobs
        told = {"analysis_dir": "-", "diversity_factor": way.diversity, "random_seed": seed}
        self.settings = SynthesisSettings.model_validate(told | {"batch_size": BATCH, "concurrency": concurrency})
        self.detection: Detection = detect_kind(recipe.record_schema, recipe.seeds)
        self.archive = new_archive(recipe, self.detection, self.settings)
        spread = self.settings.model_copy(update={"diversity_factor": 0.5})
        self.map = new_archive(recipe, self.detection, spread)
        self.index = NearDuplicateIndex(DedupSettings(), views_for(recipe.record_schema, self.detection))
        self.index.add(recipe.seeds, [f"seed-{i + 1}" for i in range(len(recipe.seeds))])
        self.static = static_prompt(recipe, self.detection, self.settings)
        self.shape = orjson.dumps(reply_schema(recipe.record_schema))
        self.tally = Tally()
        self.outcomes: list[RoundOutcome] = []

    def run(self, calls: int) -> Tally:
        """Makes so many calls, in the rounds that a run would make them in."""
        while (left := calls - self.tally.calls) > 0:
            asked = round_calls(self.outcomes, self.settings, remaining=left * BATCH, batch=BATCH)
            self._round(len(self.outcomes) + 1, asked)
            counts = Counts(asked=sum(asked), accepted=sum(asked))  # so that no call is added for what was refused
            self.outcomes.append(
                RoundOutcome(round=len(self.outcomes) + 1, calls=len(asked), counts=counts, spend=Spend())
            )
        return self.tally

    def _round(self, number: int, asked: list[int]) -> None:
        started = time.perf_counter()
        plan = plan_calls(
            self.recipe,
            self.detection,
            self.settings,
            round=number,
            first_index=self.tally.calls,
            asked=asked,
            archive=self.archive if self.way.steered else None,
        )
        plan = self.way.planner(plan, self.map, self.settings)
        self.tally.planning += time.perf_counter() - started
        judged = judge(self._candidates(plan), self.recipe.record_schema, self.detection).to_dicts()
        aims = {call.index: call.aim for call in plan}
        refused = [Refused(row["call"]) for row in judged if row["reason"] is not None]
        rows = [row for row in judged if row["reason"] is None]
        records = [orjson.loads(row["record"]) for row in rows]
        matches = self.index.screen(records, [f"r/{row['call']}.{row['position']}" for row in rows])
        made = []
        for row, record, match in zip(rows, records, matches, strict=True):
            if match is not None:
                refused.append(Refused(row["call"], record, match.id, match.view))
                continue
            made.append(Made(row["call"], record, aims[row["call"]]))
            places = self.map.space.place(record, {})
            cell = tuple(places[axis.name] for axis in self.map.space.axes)
            self.tally.niches[cell] = self.tally.niches.get(cell, 0) + 1
        self.archive.learn(number, Findings(aims, made, refused))
        self.tally.accepted += len(made)

    def _candidates(self, plan: Sequence[PlannedCall]) -> pl.DataFrame:
        rows = []
        for call in plan:
            user = call_prompt(self.recipe, self.detection, call)
            ask = Ask("m", self.static, user, self.shape)
            content = ask.content()
            reply = answer(ask, content, self.knobs, fate_of(self.knobs, content, 0))
            found = parse_reply(reply.text, self.recipe.record_schema, cut=False).records
            rows += [(call.index, i, orjson.dumps(r).decode(), f"k{call.index}") for i, r in enumerate(found)]
            self.tally.calls += 1
            self.tally.cost += CACHED * tokens(self.static) + INPUT * tokens(user) + OUTPUT * tokens(reply.text)
        return pl.DataFrame(
            rows,
            schema={"call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String},
            orient="row",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--collapse", type=float, nargs="+", default=[0.8], help="shares of favourite answers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the model and of the plan")
    options_ = parser.parse_args()
    recipe = shop()
    for collapse in options_.collapse:
        print(f"collapse {collapse}, {options_.calls:,} calls of {BATCH} records, mean of seeds {options_.seeds}")
        print(f"  {'':22}{'unique per 1,000 calls':>34}{'niches of 96':>14}{'least/mean':>12}{'USD per 1,000':>15}")
        base = 0.0
        for way in WAYS:
            tallies = [
                Trial(recipe, way, Knobs(seed=s, collapse=collapse), seed=s).run(options_.calls) for s in options_.seeds
            ]
            unique = [1000 * t.accepted / t.calls for t in tallies]
            base = base or fmean(unique)
            cells = [sum(max(c) < 8 for c in t.niches) for t in tallies]
            least = [min(t.niches.values()) / (t.accepted / 96) if len(t.niches) >= 96 else 0.0 for t in tallies]
            cost = [1000 * t.cost / t.accepted for t in tallies]
            spread = f"({min(unique):,.0f} to {max(unique):,.0f})"
            print(
                f"  {way.name:22}{fmean(unique):>8,.0f} {spread:>18} {fmean(unique) / base:>5.2f}x{fmean(cells):>14.1f}"
                f"{fmean(least):>12.2f}{fmean(cost):>15.2f}   planning {fmean(t.planning for t in tallies):.2f} s"
            )


if __name__ == "__main__":
    main()
