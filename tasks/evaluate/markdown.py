"""An evaluation for people, from its facts alone; text of models, data and users is shown, never interpreted."""

from datasynth.schemas.evaluation import Evaluation, Gate, Judged
from datasynth.schemas.messages import Language, Message, say
from datasynth.tasks.evaluate.words import (
    gate_sentence,
    judged_sentences,
    repeats_sentences,
    validity_sentences,
    verdict_sentence,
    warnings_of,
)
from datasynth.tasks.report import facts
from datasynth.tasks.report.cells import code, plain, table
from datasynth.tasks.report.live import unlinked
from datasynth.tasks.report.reasons import check_in_words

LONGEST_SENTENCE = 1_000
"""Characters: sentences name addresses, and what to do comes last."""
VALUES = 20
"""Values of one attribute that are listed: those with the lowest means."""


def evaluation_markdown(evaluation: Evaluation, language: Language = "en") -> str:
    """GitHub-flavoured Markdown; the first line says so when no language model wrote the records."""
    sections = [
        _head(evaluation, language),
        _gates(evaluation.gates, language),
        _validity(evaluation, language),
        _repeats(evaluation, language),
        _quality(evaluation.judged, language) if evaluation.judged else [],
        _diversity(evaluation, language),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def evaluation_page(evaluation: Evaluation, language: Language = "en") -> str:
    """The same for a page that is not ours, and that makes links of what looks like an address."""
    return unlinked(evaluation_markdown(evaluation, language))


def _word(message: Message | str, language: Language) -> str:
    return plain(message.text(language) if isinstance(message, Message) else message, longest=LONGEST_SENTENCE)


def _heading(title: Message, language: Language) -> list[str]:
    return [f"## {_word(title, language)}", ""]


def _listed(sentences: list[Message], language: Language) -> list[str]:
    return [f"- {_word(sentence, language)}" for sentence in sentences]


def _head(evaluation: Evaluation, language: Language) -> list[str]:
    lines = []
    for warning in warnings_of(evaluation):
        lines += [f"> **{_word(warning, language)}**", ""]
    title = say("{name}: evaluation {id}", name=evaluation.name, id=evaluation.id)
    what = say("Evaluated: {data}", data=evaluation.data)
    against = say("Held against: {source}", source=evaluation.source or evaluation.recipe_fingerprint)
    when = say("At {time} (UTC).", time=evaluation.evaluated_at)
    return [
        *lines,
        f"# {_word(title, language)}",
        "",
        f"**{_word(verdict_sentence(evaluation), language)}**",
        "",
        *_listed([what, against, when, *evaluation.notes], language),
    ]


def _gates(gates: tuple[Gate, ...], language: Language) -> list[str]:
    if not gates:
        return []
    return [*_heading(say("Gates"), language), *_listed([gate_sentence(gate) for gate in gates], language)]


def _validity(evaluation: Evaluation, language: Language) -> list[str]:
    validity = evaluation.validity
    lines = [*_heading(say("Validity and content"), language), *_listed(validity_sentences(validity), language)]
    if not validity.reasons:
        return lines
    rows = []
    for reason in validity.reasons:
        words = check_in_words(reason.check)
        because = " ".join([code(reason.check), *([_word(words, language)] if words else [])])
        examples = [
            " ".join(filter(None, (code(one.record), code(one.field), plain(one.detail)))) for one in reason.examples
        ]
        rows.append([because, f"{reason.records:,}", "<br>".join(examples)])
    header = [_word(title, language) for title in (say("Reason"), say("Records"), say("Examples"))]
    return [*lines, "", *table(header, rows, numbers=[1])]


def _repeats(evaluation: Evaluation, language: Language) -> list[str]:
    repeats = evaluation.repeats
    lines = [*_heading(say("Near-duplicates"), language), *_listed(repeats_sentences(repeats), language)]
    if not repeats.examples:
        return lines
    rows = [[code(one.record), code(one.field), plain(one.detail)] for one in repeats.examples]
    header = [_word(title, language) for title in (say("Record"), say("What is alike"), say("Similarity"))]
    return [*lines, "", *table(header, rows)]


def _quality(judged: Judged, language: Language) -> list[str]:
    lines = [*_heading(say("Judged quality"), language), *_listed(judged_sentences(judged), language)]
    if not judged.scored:
        return lines
    header = [_word(title, language) for title in (say("Score"), say("Records"))]
    rows = [[f"{n / 10:.1f}-{(n + 1) / 10:.1f}", f"{count:,}"] for n, count in enumerate(judged.histogram)]
    lines += ["", *table(header, rows, numbers=[1])]
    listed: dict[str, int] = {}
    rows = []
    for one in judged.by_value:
        listed[one.attribute] = listed.get(one.attribute, 0) + 1
        if listed[one.attribute] <= VALUES:
            value = plain(one.value) if one.value else _word(say("other"), language)
            rows.append([code(one.attribute), value, f"{one.records:,}", f"{one.mean:.2f}"])
    if rows:
        titles = (say("Attribute"), say("Value"), say("Records"), say("Mean score"))
        lines += ["", *table([_word(title, language) for title in titles], rows, numbers=[2, 3])]
    titles = (say("Lowest scores"), say("Score"), say("The judge's reason"), say("Record"))
    rows = [[code(one.record), f"{one.score:.2f}", plain(one.reason), plain(one.content)] for one in judged.lowest]
    return [*lines, "", *table([_word(title, language) for title in titles], rows, numbers=[1])]


def _diversity(evaluation: Evaluation, language: Language) -> list[str]:
    diversity = evaluation.diversity
    if diversity is None or not diversity.output.records:
        return []
    # The mean of scores that a run's own judge once gave would be taken for that of the judge here.
    sentences = facts.effective_sentences(diversity.model_copy(update={"mean_quality": None}))
    sentences += facts.measured_sentences(diversity)
    if diversity.niches is not None:
        sentences[:0] = [facts.niche_sentence(diversity.niches), *facts.seed_niche_sentences(diversity)]
    lines = [*_heading(say("Diversity"), language), *_listed(sentences, language)]
    rows = [
        [_word(line.name, language), _word(line.better, language), line.seeds, line.like_seeds, line.output]
        for line in facts.measure_lines(diversity)
    ]
    if not rows:
        return lines
    titles = (
        say("Measure"),
        say("Which is better"),
        say("Seeds"),
        say("Data, as many as the seeds"),
        say("Data, all valid"),
    )
    return [*lines, "", *table([_word(title, language) for title in titles], rows, numbers=[2, 3, 4])]
