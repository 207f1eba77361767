r"""Constraints that a prompt states in prose, a line for each: ``- `price` (number, from 1 to 9): in dollars``."""

import re
from typing import Any

import orjson

FIELD = re.compile(r"^(\s*)[-*]\s+(?:`([^`]+)`|(each item|每一项))\s*[(（](.*)$")
NUMBER = r"(-?\d+(?:\.\d+)?)"
WORDS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), keywords)
    for pattern, keywords in (
        (rf"{NUMBER} to {NUMBER} characters|{NUMBER} 到 {NUMBER} 个字符", ("minLength", "maxLength")),
        (rf"at least {NUMBER} characters|至少 {NUMBER} 个字符", ("minLength",)),
        (rf"at most {NUMBER} characters|至多 {NUMBER} 个字符", ("maxLength",)),
        (rf"{NUMBER} to {NUMBER} items|{NUMBER} 到 {NUMBER} 项", ("minItems", "maxItems")),
        (rf"at least {NUMBER} item|至少 {NUMBER} 项", ("minItems",)),
        (rf"at most {NUMBER} item|至多 {NUMBER} 项", ("maxItems",)),
        (rf"from {NUMBER} to {NUMBER}|{NUMBER} 到 {NUMBER} 之间", ("minimum", "maximum")),
        (rf"at least {NUMBER}(?! (?:char|item))|不小于 {NUMBER}", ("minimum",)),
        (rf"at most {NUMBER}(?! (?:char|item))|不大于 {NUMBER}", ("maximum",)),
        (rf"greater than {NUMBER}|大于 {NUMBER}", ("exclusiveMinimum",)),
        (rf"less than {NUMBER}|小于 {NUMBER}", ("exclusiveMaximum",)),
        (rf"a multiple of {NUMBER}|{NUMBER} 的倍数", ("multipleOf",)),
    )
)
TYPES = (
    (re.compile(r"^(?:text|string|文本)"), "string"),
    (re.compile(r"^(?:whole number|integer|整数)"), "integer"),
    (re.compile(r"^(?:number|数字)"), "number"),
    (re.compile(r"^(?:true|boolean)"), "boolean"),
    (re.compile(r"^(?:list|array|列表)"), "array"),
    (re.compile(r"^(?:object|对象)"), "object"),
)
ENUM = re.compile(r"(?:exactly one of |只能是以下之一：)(.+)")
PATTERN = re.compile(r"(?:matching the regular expression |符合正则表达式 )`?(.+?)`?(?:[,，]|$)")
FORMAT = re.compile(r"(?:in the format |格式为 )`?([\w-]+)`?")
OPTIONAL = re.compile(r"\boptional\b|选填")
UNIQUE = re.compile(r"no item twice|各项不重复")


def described_fields(text: str) -> dict[str, Any]:
    """A JSON Schema of the fields that `text` lists, nested by indentation; empty if it lists none."""
    root: dict[str, Any] = {}
    # Fields that further indented lines may belong to, from the outside in.
    parents: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for line in text.splitlines():
        found = FIELD.match(line)
        if not found:
            continue
        indent, name, rest = len(found[1]), found[2], found[4]
        schema, optional = _facts(rest)
        while parents[-1][0] >= indent:
            parents.pop()
        owner = parents[-1][1]
        if name is None:
            owner["items"] = schema
        else:
            owner.setdefault("type", "object")
            owner.setdefault("properties", {})[name] = schema
            if not optional:
                owner.setdefault("required", []).append(name)
        parents.append((indent, schema))
    return root


def _facts(rest: str) -> tuple[dict[str, Any], bool]:
    facts, _, about = re.sub(r"[)）]\s*[:：]", "\0", rest, count=1).partition("\0")
    if not about:
        facts = facts.rstrip(" )）")
    schema: dict[str, Any] = {"description": about.strip()} if about.strip() else {}
    for pattern, kind in TYPES:
        if pattern.search(facts):
            schema["type"] = kind
            break
    if (enum := ENUM.search(facts)) and (values := _values(enum[1])):
        schema["enum"] = values
        return schema, bool(OPTIONAL.search(facts))
    if pattern := PATTERN.search(facts):
        schema["pattern"] = pattern[1]
    if form := FORMAT.search(facts):
        schema["format"] = form[1]
    for words, keywords in WORDS:
        if found := words.search(facts):
            numbers = [float(g) for g in found.groups() if g is not None]
            for keyword, number in zip(keywords, numbers, strict=False):
                schema.setdefault(keyword, int(number) if number.is_integer() else number)
    if UNIQUE.search(facts):
        schema["uniqueItems"] = True
    return schema, bool(OPTIONAL.search(facts))


def _values(text: str) -> list[Any]:
    """The longest run of JSON values at the start of `text`, separated by commas of either script."""
    values: list[Any] = []
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[^,，、\s)）]+', text):
        try:
            values.append(orjson.loads(part))
        except orjson.JSONDecodeError:
            break
    return values
