"""Answers that decline, and answers in which a model speaks of itself."""

import re
from collections.abc import Iterable
from typing import Final

from datasynth.schemas.messages import say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import LEARNT, Finding, Passages
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

LOOKED_AT: Final = 240
"""Characters from the start: a refusal opens with it."""
LONGEST: Final = 700
"""Characters of a refusal. Longer texts have gone on to say something."""

_CANNOT = (
    r"(?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|'?a?m (?:unable|not able|not allowed|not permitted) to"
    r"|'?a?m not comfortable|must decline to|have to decline to|decline to)"
)
_THAT = r"(?:that|this|these|those|such|your|the)\b"
_DOING = (
    rf"(?:assist\b|help (?:you )?(?:out )?with {_THAT}|help you (?:do|create|make|write) {_THAT}|fulfil|comply\b|engag"
    rf"|participat|answer {_THAT}|provid\w+ (?:{_THAT}|any\b|information\b|instructions\b|assistance\b|guidance\b"
    rf"|content\b|you with\b)|generat\w+ |creat\w+ (?:{_THAT}|content\b|any\b|explicit\b|harmful\b)|writ\w+ (?:{_THAT}"
    rf"|content\b|any\b|explicit\b)|discuss|do (?:that|this|so)\b|continu\w+ (?:with )?{_THAT}|support {_THAT}"
    rf"|shar\w+ {_THAT}|produc\w+ {_THAT}|process {_THAT} request|complete {_THAT}|carry out {_THAT}"
    rf"|promot|encourag|condon)"
)
_ZH_CANNOT = r"(?:无法|不能|没法|没有办法|不可以|不便|拒绝)"
_ZH_DOING = (
    r"(?:(?:为|给|向|帮|对)(?:您|你|此)?)?(?:(?:回答|满足|完成|执行|遵从|处理|响应)(?:这|该|此|您|你|有关|关于|与|任何|涉及|上述)"
    r"|(?:协助|帮助|配合|支持)(?:您|你)?(?:完成|处理|进行|做)?(?:这|该|此|任何|违)"
    r"|(?:提供|生成|创作|撰写|编写|输出|讨论|参与|继续)(?:这类|这样|这方面|此类|该类|任何|有害|违法|违规|涉及|有关))"
)
REFUSALS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:I(?:'m| am) (?:\w+ )?)?(?:sorry|apologi[sz]e|apologies|unfortunately|regret)\b"
        rf"[^.!?\n]{{0,40}}?\bI ?{_CANNOT} {_DOING}",
        rf"^\W*(?:no, )?I ?{_CANNOT} {_DOING}",
        rf"\bas an? (?:AI|artificial intelligence|language model)\b[^.!?\n]{{0,60}}\bI ?"
        rf"(?:{_CANNOT}|do(?:n't| not) have)",
        rf"作为(?:一个|一名|一款|一位)?(?:AI|人工智能|大?语言模型|大模型|智能助手)[^。！？\n]{{0,40}}{_ZH_CANNOT}",
        rf"(?:抱歉|对不起|不好意思|遗憾)[^。！？\n]{{0,20}}?我{_ZH_CANNOT}{_ZH_DOING}",
        rf"^\W*我{_ZH_CANNOT}{_ZH_DOING}",
    )
)
REFUSAL_TRIGGERS: Final = (
    *("can't", "can’t", "cannot", "can not", "couldn", "could not", "won't", "won’t", "will not", "unable", "not able"),
    *("not allowed", "not permitted", "not comfortable", "decline", "do not have", "don't have", "don’t have"),
    *("无法", "不能", "没法", "没有办法", "不可以", "不便", "拒绝"),
)
DECLINING = re.compile(
    r"declin|refus|turn(?:ing|ed)? (?:\w+ ){0,3}down|say(?:ing)? no\b|reject|apolog|拒绝|拒答|婉拒|推辞|回绝|道歉",
    re.IGNORECASE,
)
"""Who asks for this wants to read a refusal."""
REFUSALS_WANTED = re.compile(
    r"\brefusals?\b|\b(?:must|should|to|politely|may|can) (?:refuse|decline)\b"
    r"|拒答|拒绝回答|应当?拒绝|婉拒|拒绝(?:有害|不当|违规|违法)",
    re.IGNORECASE,
)
"""Guidelines that ask for refusals, as those of data for safety do."""

BOILERPLATE: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\"“'‘])\bas an? (?:(?:AI|artificial intelligence|large) )?language model\b",
        r"(?<![\"“'‘])\bas an? (?:AI|artificial intelligence)(?: model| assistant| chatbot| system)?"
        r"(?: (?:developed|created|trained|made|built) by [\w ]{1,30})?, (?:I|my)\b",
        r"\bI(?:'m| am) (?:just |only |merely )?an? (?:(?:AI|large) )?language model\b",
        r"\bas of my (?:last|latest|most recent|current|knowledge|training)(?: \w+){0,2} (?:update|cut-?off|training)",
        r"\bas of my (?:update|knowledge cut-?off|training)\b",
        r"\bmy (?:knowledge|training)(?: data)? cut-?off\b",
        r"\bI do(?:n't| not) have (?:access to )?(?:real-time|personal (?:opinions?|experiences?|beliefs?|feelings?))",
        r"(?<![“\"‘「])作为(?:一个|一名|一款|一位)?(?:AI|人工智能|大型?|大规模)?语言模型",
        r"(?<![“\"‘「])作为(?:一个|一名|一款|一位)?(?:AI|人工智能)(?:模型|助手|助理|机器人)?[，, ]*我",
        r"截[至止](?:到)?我(?:的)?(?:最后|上次|最近|最新|知识|训练)[^。，\n]{0,8}(?:更新|截止|训练|数据)",
        r"我的(?:知识库?|训练数据)(?:的)?(?:截止|更新)(?:到|至|于|日期|时间)",
        r"我(?:只|仅)?是(?:一个|一款)?(?:AI|人工智能|大型?|大规模)?语言模型",
    )
)
BOILERPLATE_TRIGGERS: Final = (
    *("as an ai", "as an artificial", "language model", "as a large", "as of my", "cutoff", "cut-off"),
    *("real-time", "personal opinion", "personal experience", "personal belief", "personal feeling"),
    *("语言模型", "作为", "截至", "截止", "更新"),
)
OF_MODELS = re.compile(
    r"\bA\.I\b|AI|chat ?bot|chatgpt|\bgpt|language model|\bLLM|are you (?:a|an|real|human)"
    r"|人工智能|语言模型|大模型|机器人|你是谁",
)
"""Who asks about models may hear of them."""


class Refusal:
    """`refusal`: the answer declines, as models do: it opens with it and says little else.

    Off for a field in which a seed declines, in data whose guidelines ask for refusals, and where the record's
    question is about declining. Patterns name what models decline ("help with that", "fulfil this request"), for a
    shop that cannot refund is no refusal.
    """

    name: ContentCheck = "refusal"
    wished = False

    def __init__(self, guidelines: str = "") -> None:
        self._wanted = bool(REFUSALS_WANTED.search(guidelines))

    def find(self, passages: Passages) -> Iterable[Finding]:
        for n in [] if self._wanted else passages.holding(REFUSAL_TRIGGERS, LEARNT):
            passage = passages.all[n]
            if words := refusal_in(passage.text):
                field, value = path_text(passage.keys), json_text(words, QUOTED_CHARACTERS)
                sentence = say("{field} declines: {value}.", field=field, value=value)
                yield Finding(n, "", words, sentence, bool(DECLINING.search(passages.said(passage.row))))


class Boilerplate:
    """`boilerplate`: a model speaks of itself where the data's people should ("As an AI language model").

    Off for a field in which a seed does, and where the record's question is about models. Words in quotation marks
    are somebody else's.
    """

    name: ContentCheck = "boilerplate"
    wished = False

    def find(self, passages: Passages) -> Iterable[Finding]:
        for n in passages.holding(BOILERPLATE_TRIGGERS, LEARNT):
            passage = passages.all[n]
            if words := _first(BOILERPLATE, passage.text):
                field, value = path_text(passage.keys), json_text(words, QUOTED_CHARACTERS)
                sentence = say("{field} speaks as a model: {value}.", field=field, value=value)
                yield Finding(n, "", words, sentence, bool(OF_MODELS.search(passages.said(passage.row))))


def refusal_in(text: str) -> str | None:
    """The words with which `text` declines; None where it does not."""
    start = text[:LOOKED_AT]
    lower = start.lower()
    if len(text) > LONGEST or not any(trigger in lower for trigger in REFUSAL_TRIGGERS):
        return None
    return _first(REFUSALS, start)


def _first(patterns: Iterable[re.Pattern[str]], text: str) -> str | None:
    text = text.replace("’", "'")
    return next((found[0].strip() for pattern in patterns if (found := pattern.search(text))), None)
