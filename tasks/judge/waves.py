"""Has a round's candidates scored: as many as are wanted, and more where some of them were refused.

What is asked, in which order, and what follows from it are functions of the candidates and of the replies alone, so a
run that was killed asks the same again and finds the answers in its journal.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from datasynth.schemas.calls import CallResult, MissReason, PlannedCall, Prompt, Reply
from datasynth.schemas.errors import RunError
from datasynth.schemas.report import StopReason
from datasynth.tasks.judge.prompt import judge_message
from datasynth.tasks.judge.scores import Judgement, Score, judgement, read_scores

SHOWN = 5
"""Records in one judgement: enough that the static part costs little, few enough that each is read."""
SHOWN_BYTES = 40_000
"""Size of the records in one judgement, unless a single one is larger."""
LEAST_RATE = 0.1
"""Share of records that is taken to pass at least, when it is decided how many more to judge."""
INDEXES_A_ROUND = 1_000_000
"""Judging calls are numbered from a round's number times this on: no round has so many."""
OUTAGE: tuple[MissReason, ...] = ("rate_limited", "server_error", "timeout", "connection")
OUTAGE_CALLS = 3
"""Calls without a single answer after which the judge counts as out of order; fewer may be the records' fault."""

Ask = Callable[[tuple[Prompt, ...]], Sequence[tuple[CallResult, Reply | None]]]
"""Makes calls to the judge; gives, in their order, how each ended, and its reply if it has one."""


@dataclass
class Scoring:
    """What became of a round's candidates."""

    judgements: list[Judgement] = field(default_factory=list)
    """Of the first so many candidates; the rest was not needed, or a limit was met."""
    limit: StopReason | None = None
    """The limit that kept calls to the judge from starting."""
    trouble: str = ""
    """What the endpoint said of calls without an answer."""


class Examination:
    """The judging of one round."""

    def __init__(self, ask: Ask, *, round: int, language: str, judges: int, least: float | None) -> None:
        """
        Args:
            ask: Makes the calls.
            round: Its number.
            language: Of the recipe.
            judges: Judgements of each record.
            least: Quality from which a record passes; None: every record does.
        """
        self._ask = ask
        self._language = language
        self._judges = judges
        self._least = least
        self._index = round * INDEXES_A_ROUND
        self._scoring = Scoring()

    def passes(self, judged: Judgement) -> bool:
        """Whether a record is kept; one without a score only where no quality is asked for."""
        return self._least is None or (judged.quality is not None and judged.quality >= self._least)

    def scored(self, records: Sequence[dict[str, Any]], wanted: int) -> Scoring:
        """Judges `records` in order until `wanted` of them pass.

        Raises:
            RunError: the judge answers nothing at all.
        """
        done = self._scoring.judgements
        while len(done) < len(records) and self._scoring.limit is None:
            passed = sum(map(self.passes, done))
            if passed >= wanted:
                break
            rate = max(passed / len(done), LEAST_RATE) if done else 1.0
            done += self._wave(records[len(done) : len(done) + math.ceil((wanted - passed) / rate)])
        return self._scoring

    def _wave(self, records: Sequence[dict[str, Any]]) -> list[Judgement]:
        """Judgements of `records`: all judges at once; what has no score is asked again, each record by itself.

        By itself, for one record that a provider's filter stops takes its neighbours with it.
        """
        votes: list[dict[int, Score]] = [{} for _ in records]
        for together in (SHOWN, 1):
            places = [
                (judge, in_turn(group, judge))
                for judge in range(self._judges)
                for group in groups([i for i, vote in enumerate(votes) if judge not in vote], records, together)
            ]
            if not places or self._scoring.limit is not None:
                break
            self._call(places, records, votes)
        return [judgement(vote[judge] for judge in sorted(vote)) for vote in votes]

    def _call(
        self,
        places: Sequence[tuple[int, Sequence[int]]],
        records: Sequence[dict[str, Any]],
        votes: list[dict[int, Score]],
    ) -> None:
        prompts = []
        for n, (_, shown) in enumerate(places):
            message = judge_message([records[i] for i in shown], self._language)
            prompts.append(Prompt(PlannedCall(self._index + n, len(shown)), message))
        self._index += len(prompts)
        answers = self._ask(tuple(prompts))
        for (judge, shown), (_, reply) in zip(places, answers, strict=True):
            scores = read_scores(reply.text, cut=reply.stop == "length") if reply else {}
            for number, score in scores.items():
                if number <= len(shown):
                    votes[shown[number - 1]].setdefault(judge, score)
        self._note([result for result, _ in answers])

    def _note(self, results: Sequence[CallResult]) -> None:
        """Takes note of calls that were not answered."""
        missed = [result for result in results if result.reply is None]
        for result in missed:
            if result.miss == "budget":
                self._scoring.limit = self._scoring.limit or cast(StopReason, result.detail)
            elif result.miss == "stopped":
                self._scoring.limit = self._scoring.limit or "max_minutes"
            else:
                self._scoring.trouble = self._scoring.trouble or result.detail
        out = len(missed) == len(results) >= OUTAGE_CALLS and all(result.miss in OUTAGE for result in missed)
        if out:
            raise RunError(
                "The judge answered none of {count} calls: {detail}. Nothing is lost; go on with --resume once it "
                "answers again.",
                count=len(results),
                detail=missed[0].detail,
            )


def groups(rows: Sequence[int], records: Sequence[dict[str, Any]], most: int) -> list[list[int]]:
    """`rows` in order, in groups that are shown together: at most `most`, and not too long."""
    found: list[list[int]] = []
    room = 0
    for row in rows:
        size = len(orjson.dumps(records[row]))
        if not found or len(found[-1]) == most or size > room:
            found.append([])
            room = SHOWN_BYTES
        found[-1].append(row)
        room -= size
    return found


def in_turn(group: Sequence[int], judge: int) -> list[int]:
    """`group` in the order that a judge sees it.

    Models favour places in a list (Zheng et al. 2023, arXiv:2306.05685): every second judge reads it backwards, so that
    over a pair each record stands at the same place on average, and every further pair begins elsewhere.
    """
    start = judge // 2 * len(group) // 2 % max(len(group), 1)
    order = [*group[start:], *group[:start]]
    return order[::-1] if judge % 2 else order
