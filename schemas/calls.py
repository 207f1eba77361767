"""What is asked of a model and what comes back: plain values, so that they cross processes and machines."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Stop = Literal["end", "length", "refusal", "tool", "other"]
"""Why a model stopped: done; cut off at `max_tokens`; declined; asked for a tool; anything else."""

MissReason = Literal[
    "unparsable",
    "empty",
    "truncated",
    "refused",
    "tool_call",
    "short",
    "bad_request",
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "budget",
    "stopped",
]
"""Why records that were asked for never arrived. `short`: the reply was whole but held fewer than asked;
`truncated`: it was cut at `max_tokens` and its last records are lost; `budget` and `stopped`: never called."""


@dataclass(frozen=True)
class Usage:
    """Tokens billed for one call, as the API reported them. `input` excludes cached reads and writes."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


@dataclass(frozen=True)
class PlannedCall:
    """One call of a round's plan: what its prompt will show and ask for, before any text is written."""

    index: int
    """Position in the run's plan, unique over all rounds; candidates keep this order."""
    asked: int
    """Records asked for."""
    seeds: tuple[int, ...] = ()
    """Positions in `recipe.seeds`."""
    aim: dict[str, Any] = field(default_factory=dict)
    """Values that the records should have (the niche), by field or attribute."""
    avoid: tuple[str, ...] = ()
    """Excerpts of what has been written in or near this niche, one short line each; data, never instructions."""
    unlikely: bool = False
    """Whether to ask for answers that the model would give rarely."""


@dataclass(frozen=True)
class Prompt:
    """The text of one call. The static part it follows is the shard's."""

    call: PlannedCall
    user: str


@dataclass(frozen=True)
class Share:
    """What one shard may take of what its run has left, where the shards of a round work in several processes.

    All shares of a round together are no more than that; None where the run has no such limit.
    """

    id: str
    """Stands in every journal entry that is paid from it: whoever makes the shard's calls again, in another process
    perhaps, has only the rest."""
    concurrency: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_minutes: float | None = None
    max_cost: Decimal | None = None
    max_tokens: int | None = None
    max_calls: int | None = None


@dataclass(frozen=True)
class Shard:
    """Calls that one `generate` task makes: a slice of a round, sharing the static part of their prompts."""

    round: int
    number: int
    """1-based within the round."""
    of: int
    static: str
    """The system prompt: byte-identical over the whole run, so that providers can cache it."""
    json_schema: dict[str, Any] | None
    """Schema of the whole reply (`{"records": [...]}`), or None where structured output is off."""
    prompts: tuple[Prompt, ...]
    share: Share | None = None
    """None where one process makes all calls of the run, within the run's limits."""


@dataclass(frozen=True)
class Request:
    """One request to a model, without anything that belongs to an endpoint's protocol."""

    model: str
    system: str
    user: str
    max_tokens: int
    temperature: float | None = None
    json_schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reply:
    """A paid answer. Durable in the journal before anything else sees it."""

    text: str
    stop: Stop
    usage: Usage
    model: str
    """As the endpoint named it, which may be a dated version of the one asked for."""
    request_id: str = ""
    service_tier: str = "standard"
    metered: bool = True
    """False where the endpoint did not say what was used: `usage` is then all zero and the cost unknown."""
    simulated: bool = False
    """True when the endpoint said that no language model wrote this (header `x-datasynth-simulated`)."""


@dataclass(frozen=True)
class CallResult:
    """How one planned call ended: the journal key of the reply to use, or why there is none."""

    index: int
    reply: str | None
    miss: MissReason | None = None
    detail: str = ""
    """What the server said, for people; never holds a key."""


@dataclass(frozen=True)
class ShardReceipt:
    """What a `generate` task returns: references and figures; the replies themselves stay in the journal."""

    results: tuple[CallResult, ...]
    calls: int = 0
    """Requests answered and billed in this shard by this process; journal hits are not among them."""
