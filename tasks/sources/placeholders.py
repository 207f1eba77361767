"""Texts that stand where content should be: `[step]`, `执行任务 1`, `TODO`, `<your text>`.

DataRecipe's `analyze-spec` fills its samples with them, and people leave them in seed files. A model shown one copies
it. Only a text that is a placeholder as a whole counts, for any of these can be quoted in a real text.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from datasynth.schemas.record import Field

_ENGLISH = "answer|content|data|description|input|instruction|name|output|prompt|question|record|response|string|text"
_ENGLISH += "|title|topic|value"
_CHINESE = "数据|文本|内容|问题|题目|回答|答案|指令|回复|输入|输出|对话|标题|描述|字段|名称"
_OPEN = "请填写|请输入|待填写?|待补充|待生成|占位符|此处填写|在此填写"

PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # DataRecipe: spec_output.py, `_generate_sample_instruction` and `_generate_value_from_field` (0.4.0).
        r"执行任务\s*\d+",
        r"\[(?:图片占位符|string|number|integer|boolean|array|object)\s*[:：].*\]",
        # In brackets or alone: a support desk's reply may well say "请填写正确的税号".
        rf"[\[【(（<]\s*(?:{_OPEN})[^\]】)）>]*[\]】)）>]",
        rf"(?:{_OPEN})(?:{_CHINESE})?[。.…]*",
        rf"(?:这是)?(?:一个|一条)?(?:示例|样例|占位)性?(?:{_CHINESE})\s*[#：:]?\s*\d*[。.]?",
        r"(?:示例|样例)\s*[#：:]?\s*\d+",
        rf"(?i:(?:this is )?(?:an? )?(?:example|sample|placeholder|dummy) (?:{_ENGLISH})\s*#?\d*\.?)",
        r"(?i:placeholder\s*#?\d*|(?:insert|enter|add|put) (?:your |the |an? )?[\w ]{1,40} here\.?)",
        r"[.…。·⋯\s]*(?:\.\.|…|⋯|。。)[.…。·⋯\s]*",
        r"(?:TODO|TBD|FIXME)\s*(?:[:：].*)?",
        r"[xX]{3,}",
        # <your text>, <YOUR_NAME>, <question>; but not <p> or <div>, which are answers in many a data set.
        rf"<(?:[^<>/=]*[\s_\u4e00-\u9fff][^<>/=]*|(?i:{_ENGLISH}))>",
        r"\$?\{{1,2}\s*[A-Za-z_]\w[\w.\- ]*\}{1,2}",
    )
)
LOREM = re.compile(r"(?i)\blorem\s+ipsum\b")

BRACKETED = re.compile(r"\[([^\[\]\d,;=+*/\\\n]{2,80})\]")
"""A text in square brackets without what lists, formulas and intervals are made of."""

RUN = re.compile(r"(?<!\d)\d{1,15}(?!\d)")
FEWEST = 3
"""Seeds that count up before they are taken for generated ones: two could happen."""


def placeholders(record: dict[str, Any], fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
    """The placeholders in `record` as (path, text). A value that the schema's `enum` lists is none."""
    for field in fields:
        if field.name in record:
            yield from _within(record[field.name], field, field.name)


def counted(records: Sequence[dict[str, Any]], fields: Sequence[Field]) -> set[int]:
    """Positions of the records that differ from others by a running number alone, as a loop writes them.

    Values that `enum` lists, booleans and numbers may cycle as they like: generators do that too. At least `FEWEST`
    records must share all their texts but for one number, the same wherever it stands in a record, that counts up by
    one. So `3 + 1 = ?` to `3 + 9 = ?` with their answers are no such records: two different numbers run in them.
    """
    groups: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for position, record in enumerate(records):
        texts = [text for field in fields for text in _texts(record.get(field.name), field)]
        runs = {int(run) for text in texts for run in RUN.findall(text)}
        if len(runs) == 1:
            groups.setdefault(tuple(RUN.sub("0", text) for text in texts), []).append((position, runs.pop()))
    found: set[int] = set()
    for group in groups.values():
        steps = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(group)]
        if len(group) >= FEWEST and set(steps) == {1}:
            found.update(position for position, _ in group)
    return found


def is_placeholder(text: str, field: Field) -> bool:
    """Whether `text`, as the whole value of `field`, stands for a text still to be written."""
    text = text.strip()
    if field.enum is not None or not text:
        return False
    if any(pattern.fullmatch(text) for pattern in PATTERNS) or LOREM.search(text):
        return True
    named = {f"{left}{name}{right}" for name in _names(field) for left, right in ("[]", "<>")}
    return text in named or _is_bracketed(text)


def _names(field: Field) -> list[str]:
    return [name for name in (field.name, field.display_name, field.description) if name]


def _is_bracketed(text: str) -> bool:
    inside = BRACKETED.fullmatch(text)
    if not inside or not re.search(r"[a-z\u3040-\u30ff\u4e00-\u9fff]{2}", inside[1]):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return True
    return False


def _within(value: Any, field: Field, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and is_placeholder(value, field):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _within(item, field.items or Field(name="", type="any"), f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _within(inner, _member(field, name), f"{path}.{name}")


def _texts(value: Any, field: Field) -> Iterator[str]:
    if isinstance(value, str) and field.enum is None:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, field.items or Field(name="", type="any"))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, _member(field, name))


def _member(field: Field, name: str) -> Field:
    return next((f for f in field.fields if f.name == name), Field(name=name, type="any"))
