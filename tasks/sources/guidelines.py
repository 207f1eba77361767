"""DataRecipe's annotation guidelines as a model should read them."""

import re
from dataclasses import dataclass

ABOUT_THE_FILE = (
    re.compile(r">\s*(?:生成时间|样本来源|Generated(?: at| on)?)\s*[:：].*"),
    re.compile(r">?\s*(?:本[\w\s]{1,8}|报告|指南)?由\s*DataRecipe.{0,20}自动生成.*"),
)
"""Lines that tell when and by what the file was written, not what the data should be."""

_MADE = "产出|生成|创作|撰写|编写|合成"

AGAINST_AI = (
    re.compile(
        r"(?:不能|不得|不可|不允许|不应|禁止|严禁|避免|杜绝)(?:以任何形式)?(?:含有|包含|出现|使用|提交|采用|存在)?(?:任何|由)*"
        rf"\s*(?:(?:AI|大模型|人工智能|机器|模型)\s*(?:自动)?(?:{_MADE})|AI\s*(?=内容))"
        r"(?=的|内容|文本|数据|答案|题目|[。；;，,、）)*]|\s*$)"
    ),
    re.compile(rf"^\W*非\s*(?:AI|大模型|机器|模型)\s*(?:{_MADE})\W*$"),
    re.compile(
        r"(?i)\b(?:no|(?:do not|don't|must not|may not|cannot|never) (?:use|contain|include|submit|deliver)|without)"
        r" (?:any )?(?:AI|LLM|machine|model)[- ](?:generated|written|produced|made|created)\b"
    ),
    re.compile(
        r"(?i)\b(?:AI|LLM|machine|model)[- ](?:generated|written|produced|made|created) \w+ (?:is|are) "
        r"(?:not allowed|forbidden|prohibited|banned)"
    ),
)
"""Rules for human annotators that forbid what this program is for; a model that obeyed them would refuse. DataRecipe
writes the rule "交付数据中不能含有任何 AI 产出的内容" into every specification that `deep-analyze` makes."""

MARKER = re.compile(r"(\s*(?:>\s*)*(?:[-*+]\s+|\d+[.)、]\s*)?)(\**)(.*?)(\**)(\s*)")
CLAUSE = re.compile(r"(?<=[。；;，])|(?<=[.;])(?=\s)")
"""Where a rule may end and the next begin. In English not at a comma: "no AI-generated, copied or offensive text"."""


@dataclass(frozen=True)
class Guidelines:
    """What a prompt shows of the guidelines, and what it must not."""

    text: str = ""
    left_out: tuple[str, ...] = ()
    """Rules that forbid data made by a model. Whoever runs this has to know of them, and to decide."""


def readable_guidelines(text: str) -> Guidelines:
    """`text` without lines about the file itself and without sentences that forbid data made by a model.

    All else stays as it is, to the last line: guidelines are never shortened.
    """
    lines: list[str] = []
    left_out: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        kept, rules = _without_ai_rules(line)
        left_out += rules
        if kept is not None and not any(pattern.fullmatch(kept.strip()) for pattern in ABOUT_THE_FILE):
            lines.append(kept)
    plain = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return Guidelines(re.sub(r"(?:\n|\A)(?:\s|---)*\Z", "\n", plain).strip(), tuple(left_out))


def _without_ai_rules(line: str) -> tuple[str | None, list[str]]:
    """`line` less its rules against AI, None where nothing else was on it; and those rules."""
    parts = MARKER.fullmatch(line)
    if not parts:
        return line, []
    marker, bold, body, end, _ = parts.groups()
    clauses = CLAUSE.split(body)
    rules = [clause for clause in clauses if any(pattern.search(clause) for pattern in AGAINST_AI)]
    if not rules:
        return line, []
    rest = "".join(clause for clause in clauses if clause not in rules).strip().rstrip("，；;")
    return f"{marker}{bold}{rest}{end}" if rest else None, [rule.strip() for rule in rules]
