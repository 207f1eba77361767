"""The content checks of a run: put together from a recipe and its settings, tried on the seeds, made on records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import ContentCheck, SynthesisSettings
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.quality.foreign import Foreign
from datasynth.tasks.quality.passages import Check, Finding, Passages, passages_of
from datasynth.tasks.quality.personal import PersonalData, require_libraries
from datasynth.tasks.quality.placeholder import Placeholder
from datasynth.tasks.quality.preference import Preference
from datasynth.tasks.quality.prompt_leak import PromptLeak
from datasynth.tasks.quality.refusal import Boilerplate, Refusal
from datasynth.tasks.quality.repetition import Echo, Repetition
from datasynth.tasks.quality.sensitive import Sensitive, read_words
from datasynth.tasks.validate.findings import Problem, json_text

Allowed = frozenset[tuple[ContentCheck, str, str]]
"""Check, place and form of what seeds do themselves."""

NOTHING: Final[Allowed] = frozenset()


class QualityChecks:
    """What makes a record that fits its schema bad training data.

    A wrong rejection costs money, so the checks are to be right rather than complete, and the seeds are the measure:
    they are checked first, and what one of them does in a field (declines, leaves a gap in this form, is in that
    language) is allowed there. What a user asks for (word lists, personal data) is not switched off by seeds.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        schema: RecordSchema,
        roles: Mapping[str, str],
        seeds: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Args:
        checks: the ones to make, in the order in which reasons are named.
        schema: the fields to look at.
        roles: field by role, as in `Detection.roles`.
        seeds: what is allowed because they do it.
        """
        self._checks, self._schema, self._roles = tuple(checks), schema, roles
        self.allowed: Allowed = NOTHING
        passages = passages_of(seeds, schema, roles)
        if passages.all:
            self.allowed = frozenset(
                (check.name, passages.all[finding.passage].place, finding.form)
                for check, finding in self._findings(passages)
                if not check.wished
            )

    @property
    def names(self) -> tuple[ContentCheck, ...]:
        """The checks that are made."""
        return tuple(check.name for check in self._checks)

    def check(self, records: Sequence[dict[str, Any] | None]) -> list[Problem]:
        """The problems of `records`, which fit their schema, by row and field; None among them is passed over."""
        passages = passages_of(records, self._schema, self._roles)
        problems = []
        for check, finding in self._findings(passages) if passages.all else ():
            at = passages.all[finding.passage]
            if not finding.excused and (check.name, at.place, finding.form) not in self.allowed:
                problems.append(
                    Problem(at.row, at.order, at.keys, check.name, json_text(finding.value), finding.sentence)
                )
        return sorted(problems, key=lambda problem: (problem.row, problem.order))

    def _findings(self, passages: Passages) -> Iterator[tuple[Check, Finding]]:
        for check in self._checks:
            for finding in check.find(passages):
                yield check, finding


def checks_for(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> QualityChecks:
    """The content checks that `settings` ask for, of records that `recipe` describes.

    Raises:
        InputError: a list of sensitive words cannot be used, or the extra for personal data is missing.
    """
    schema = recipe.record_schema
    asked = schema.only(schema.asked)
    about = [text for field in schema.asked for text in _about(field)]
    told = "\n".join((recipe.guidelines, schema.description, *about))
    rubric = [text for level in schema.rubric for text in (level.label, level.description)]
    seeds = [p.text for p in passages_of(recipe.seeds, asked, detection.roles).all]
    prompts = (
        static_prompt(recipe, detection, settings),
        call_prompt(recipe, detection, PlannedCall(index=0, asked=2, avoid=("-",), unlikely=True)),
    )
    checks: list[Check] = [
        Refusal(told),
        Boilerplate(),
        Placeholder(told),
        PromptLeak(prompts, (told, *rubric, *seeds)),
        Foreign(recipe.language, schema.asked, told),
        Echo(),
        Repetition(),
        *([Preference()] if "rejected" in detection.roles else []),
    ]
    if words := read_words(settings.sensitive_words):
        checks.append(Sensitive(words))
    if settings.personal_data:
        checks.append(PersonalData(recipe.language))
    checks = [check for check in checks if check.name not in settings.skip_checks]
    return QualityChecks(checks, asked, detection.roles, recipe.seeds)


def require_checks(settings: SynthesisSettings) -> None:
    """Makes sure, before any money is spent, that the checks asked for can be made.

    Raises:
        InputError: as `checks_for`.
    """
    read_words(settings.sensitive_words)
    if settings.personal_data:
        require_libraries()


def _about(field: Field) -> Iterator[str]:
    """What is said of `field` and those below it."""
    yield from (field.name, field.display_name, field.description)
    yield from (example for example in field.examples if isinstance(example, str))
    for below in (*field.fields, *field.any_of, *([field.items] if field.items else [])):
        yield from _about(below)
