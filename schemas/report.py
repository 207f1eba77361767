"""What a run did, in figures: the facts of `report.json`, from which every other report is written."""

from typing import Any, Literal

from pydantic import Field as Default
from pydantic import model_validator

from datasynth.schemas.calls import Usage
from datasynth.schemas.measures import DiversityReport
from datasynth.schemas.messages import Message
from datasynth.schemas.recipe import DataKind, SeedProblem
from datasynth.schemas.record import Frozen

StopReason = Literal["done", "max_cost", "max_tokens", "max_calls", "max_minutes", "dry", "failed"]
"""Why the rounds ended: the count was met; a limit; the yield collapsed (`dry`); the endpoint failed."""


class Counts(Frozen):
    """The funnel. Always: asked + unasked = accepted + sum(rejected) + sum(missing)."""

    asked: int = 0
    unasked: int = 0
    """Records that replies held beyond what was asked for."""
    accepted: int = 0
    rejected: dict[str, int] = {}
    """By `step.reason`, such as `validate.enum`, `dedup.near_duplicate`, `surplus.beyond_target`."""
    missing: dict[str, int] = {}
    """By `MissReason`."""
    repairs: int = 0
    """Values changed without loss before validation."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            asked=self.asked + other.asked,
            unasked=self.unasked + other.unasked,
            accepted=self.accepted + other.accepted,
            rejected=_added(self.rejected, other.rejected),
            missing=_added(self.missing, other.missing),
            repairs=self.repairs + other.repairs,
        )


def _added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {k: a.get(k, 0) + b.get(k, 0) for k in sorted(a.keys() | b.keys())}


class Spend(Frozen):
    """What the model cost. `cost_usd` is None where a price, or the usage of a reply, is unknown."""

    calls: int = 0
    """Replies paid for."""
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    known_usd: float = 0.0
    """What is known of it: all of it, where it is known."""
    possible_usd: float = 0.0
    """Worst case of calls of which nobody said what they cost: ended without an answer (timeouts, resets), answered
    without usage, or served at a tier whose price is unknown. The provider may have billed them."""
    possible_tokens: int = 0
    """The same in tokens."""
    possible_calls: int = 0
    """How many such calls ended without an answer."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        if isinstance(values, dict) and "known_usd" not in values:
            return {**values, "known_usd": values.get("cost_usd") or 0.0}
        return values

    def __add__(self, other: "Spend") -> "Spend":
        known = self.cost_usd is not None and other.cost_usd is not None
        return Spend(
            calls=self.calls + other.calls,
            usage=self.usage + other.usage,
            cost_usd=(self.cost_usd or 0) + (other.cost_usd or 0) if known else None,
            known_usd=self.known_usd + other.known_usd,
            possible_usd=self.possible_usd + other.possible_usd,
            possible_tokens=self.possible_tokens + other.possible_tokens,
            possible_calls=self.possible_calls + other.possible_calls,
        )


class Judging(Frozen):
    """What the judge did, and took; its share of what is counted in `Spend` elsewhere."""

    spend: Spend = Spend()
    scored: int = 0
    """Records with a score."""
    unjudged: int = 0
    """Records whose score could not be had."""
    quality_sum: float = 0.0
    """Of all scores, 0 to 1 each."""
    compared: int = 0
    """Records with two scores or more."""
    spread_sum: float = 0.0
    """Of the differences between their highest and lowest scores."""

    @property
    def mean_quality(self) -> float | None:
        """Mean score of all that was judged, refused or not."""
        return self.quality_sum / self.scored if self.scored else None

    @property
    def mean_spread(self) -> float | None:
        """Mean difference between a record's highest and lowest score; None for a single judge."""
        return self.spread_sum / self.compared if self.compared else None

    def __add__(self, other: "Judging") -> "Judging":
        return Judging(
            spend=self.spend + other.spend,
            scored=self.scored + other.scored,
            unjudged=self.unjudged + other.unjudged,
            quality_sum=self.quality_sum + other.quality_sum,
            compared=self.compared + other.compared,
            spread_sum=self.spread_sum + other.spread_sum,
        )


class RoundOutcome(Frozen):
    """One finished round: the ledger's entry."""

    round: int
    calls: int
    """Calls planned."""
    counts: Counts
    spend: Spend
    """Of generation, judging and vectors."""
    judging: Judging = Judging()
    embedding: Spend = Spend()
    """The share of `spend` that vectors of records took."""
    simulated: bool = False
    model: str = ""
    """As the endpoint named it."""
    limit: StopReason | None = None
    """The limit that kept calls of this round from starting."""
    trouble: str = ""
    """What the endpoint said of the calls that brought no reply, most frequent first."""


class Estimate(Frozen):
    """What a run should take, before it starts or after its pilot."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where the price is unknown."""
    judging_calls: int = 0
    """The judge's share of the calls."""
    judging_tokens: int = 0
    """The judge's share of the tokens, input and output."""
    judging_usd: float | None = 0.0
    """The judge's share of the cost."""
    embedding_calls: int = 0
    """The share of the calls that vectors of records take."""
    embedding_tokens: int = 0
    embedding_usd: float | None = 0.0
    basis: Literal["prompts", "pilot"] = "prompts"
    """`prompts`: counted from the real prompts, with outputs sized by the seeds; `pilot`: from replies."""


class RunReport(Frozen):
    """The facts of a run, as `report.json` holds them."""

    run_id: str
    dataset: str
    target: int
    stopped_by: StopReason
    explanation: Message
    """Why it stopped, as a sentence for people."""
    simulated: bool
    """True when no language model wrote the records: every report says so in its first line."""
    kind: DataKind
    kind_reasons: tuple[Message, ...] = ()
    language: str
    provider: str
    model: str
    recipe_fingerprint: str
    source: str
    seeds_used: int
    seed_problems: tuple[SeedProblem, ...] = ()
    seed_notes: tuple[Message, ...] = ()
    """What was read otherwise than it was written in the seeds."""
    guidelines_left_out: tuple[str, ...] = ()
    """Rules of the source's guidelines that forbid data made by a model, and that no prompt showed."""
    counts: Counts
    carried_over: int = 0
    """Records taken over from an output file that this store had no run for; among `accepted`, never asked for."""
    removed: int = 0
    """Records that `dedup` took out of the run before it was gone on with, for they repeat an earlier run's."""
    spend: Spend
    judging: Judging = Judging()
    """What the judge did; its cost is in `spend` too."""
    embedding: Spend = Spend()
    """What vectors of records cost; it is in `spend` too."""
    semantically_unknown: int = 0
    """Records of earlier runs without vectors by this run's embedding model: nobody compared their meaning."""
    estimate: Estimate | None = None
    rounds: tuple[RoundOutcome, ...] = ()
    started_at: str
    """ISO 8601, UTC."""
    duration_seconds: float
    """Of the run's last process."""
    fields: dict[str, Any] = {}
    """Statistics by field, in the earlier tool's form."""
    diversity: DiversityReport | None = None
    """None where it was not measured."""
    run_url: str
    data_url: str
    output: str | None = None
    settings: dict[str, Any] = Default(default_factory=dict)

    @property
    def total(self) -> int:
        """Records in the data set."""
        return self.counts.accepted + self.carried_over - self.removed

    @property
    def fell_short(self) -> bool:
        return self.total + self.removed < self.target
