"""Gaps left in a record for somebody else to fill."""

import re
from collections.abc import Iterable
from typing import Final

from datasynth.schemas.messages import say
from datasynth.schemas.record import Field
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import FLAWLESS, Finding, Passages
from datasynth.tasks.sources.placeholders import LOREM, is_placeholder
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)

_WHOSE = (
    r"(?:your|my|recipient|sender|company|customer|client|employee|employer|manager|insert|enter|fill in|add|specify)"
)
_WHAT = (
    r"(?:(?:full |first |last |user |product |company |client |contact )?name|date|time|address|phone(?: number)?"
    r"|e-?mail(?: address)?|company|title|position|job title|topic|subject|step|product|city|country|location|amount"
    r"|number|signature|question|answer|response|instruction|content|text|description|details)"
)
_ZH_WHAT = (
    r"(?:姓名|名字|称呼|公司名?称?|单位(?:名称)?|日期|时间|地址|电话(?:号码)?|手机号?|邮箱(?:地址)?|联系方式|职位|部门"
    r"|产品名称|产品名|商品名称?|城市|地点|金额|数量|主题|标题|内容|步骤)"
)
FORMS: Final = {
    "[Name]": (
        rf"(?i)\[{_WHOSE}(?:['’]s)?[ _][^\[\]\n]{{1,40}}\](?![(\[])",
        rf"(?i:\[{_WHAT}\](?![(\[:]))",
        rf"[\[【](?:您的|你的|此处|在此|请?(?:填写|填入|插入))?(?:具体)?{_ZH_WHAT}[\]】](?!\()",
        r"[\[【<《](?:此处|在此|待)(?:填写?|填入|插入|补充|完善|生成)[^\[\]【】<>《》\n]{0,20}[\]】>》]",
    ),
    "{{name}}": (r"(?<![\w\\}={])(?<!= )\{\{ ?[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff .-]{1,40} ?\}\}(?!\})",),
    "<insert …>": (rf"(?i)<(?:insert|enter|add|fill in|put) [^<>\n]{{2,40}}>|<your[ _-]{_WHAT}>",),
    "TODO": (
        r"[\[(（【<]\s*(?:TODO|TBD|FIXME)\b[^\])）】>\n]{0,60}[\])）】>]",
        r"(?m)^\W*(?:待补充|待填写|待完善|TBD)\W*$",
    ),
    "Lorem ipsum": (r"(?i)\blorem\s+ipsum\b",),
    "XXX": (
        r"(?<=[\u4e00-\u9fff：])\s?[xX]{3,}(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9])[xX]{3,}(?=[\u4e00-\u9fff])",
        r"\b(?:Dear|Mr\.?|Mrs\.?|Ms\.?|name is|named|called) [xX]{3,}(?![A-Za-z0-9])",
    ),
}
PATTERNS: Final = {form: tuple(map(re.compile, patterns)) for form, patterns in FORMS.items()}
WHOLE_WORDS: Final = (
    *("placeholder", "here", "example", "sample", "dummy"),
    *("执行任务", "示例", "样例", "占位", "请填写", "请输入"),
)
"""What a value that is a placeholder as a whole may be made of."""
TRIGGERS: Final = (*"[【{<《（(", "xxx", "lorem", "待", "todo", "tbd", "...", "…", *WHOLE_WORDS)
ABOUT_GAPS: Final = re.compile(
    r"template|fill[- ]?in|\bblanks?\b|placeholder|mail merge|boilerplate|regex"
    r"|jinja|handlebars|mustache|liquid|\bvue|angular"
    r"|模板|模版|范本|样板|占位|填空|空格处|变量",
    re.IGNORECASE,
)
"""Who asks for a template, or about one, wants gaps."""
WHOLE: Final = "whole"
_ANY = Field(name="")


class Placeholder:
    """`placeholder`: something to be filled in where content should be.

    As a whole value, whatever `tasks/sources/placeholders` leaves out of seeds; inside a text only what hardly means
    anything else, outside code, and not where the question is about templates. A form that a seed has is allowed in
    its field, and one that guidelines or descriptions show is allowed in every field.
    """

    name: ContentCheck = "placeholder"
    wished = False

    def __init__(self, told: str = "") -> None:
        """`told`: guidelines and descriptions of fields. What they show in passing ("no [name], no TODO") says
        nothing; a form counts as asked for if they speak of templates."""
        self._allowed = frozenset(
            form
            for form, patterns in PATTERNS.items()
            if ABOUT_GAPS.search(told) and any(pattern.search(told) for pattern in patterns)
        )

    def find(self, passages: Passages) -> Iterable[Finding]:
        for n in passages.holding(TRIGGERS, FLAWLESS):
            passage = passages.all[n]
            if found := self._in(passage.text):
                field, value = path_text(passage.keys), json_text(found[1], QUOTED_CHARACTERS)
                sentence = say("{field} holds a placeholder: {value}.", field=field, value=value)
                excused = found[0] != WHOLE and bool(ABOUT_GAPS.search(passages.said(passage.row)))
                yield Finding(n, *found, sentence, excused)

    def _in(self, text: str) -> tuple[str, str] | None:
        """Form and words of the first placeholder in `text`."""
        # Of running dummy text in code or in quotes, the patterns know more.
        if is_placeholder(text, _ANY) and not LOREM.search(text):
            return WHOLE, text.strip()
        prose = CODE.sub(" ", text) if "`" in text or "://" in text else text
        for form, patterns in PATTERNS.items():
            if form not in self._allowed:
                for pattern in patterns:
                    if found := pattern.search(prose):
                        return form, found[0].strip()
        return None
