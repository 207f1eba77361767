"""New texts out of the seeds' clauses and the server's own words."""

import functools
import re

from datasynth.tasks.llm.simulated.grammar import Draw, Scene, Words
from datasynth.tasks.llm.simulated.material import Material, Profile
from datasynth.tasks.llm.simulated.patterns import formatted, matching
from datasynth.tasks.llm.simulated.shapes import Node

ROLES: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (role, frozenset(names.split()))
    for role, names in (
        ("vague", "rejected reject bad worse lose loser negative 劣选回答 拒绝"),
        (
            "ask",
            "instruction instructions prompt question query input request problem ask user human 问题 指令 提问 题目",
        ),
        ("step", "step steps procedure plan actions 步骤"),
        (
            "label",
            "topic topics category categories tag tags keyword keywords domain subject label theme intent 类别 主题",
        ),
        ("title", "title headline heading caption 标题"),
        ("full_name", "author name customer person speaker agent 姓名 作者"),
        ("place", "place location city venue address 地点"),
        ("unit", "unit units 单位"),
        ("id", "id uid key code sku"),
        ("email", "email mail 邮箱"),
        ("url", "url uri link href 链接"),
        (
            "say",
            "response answer output completion chosen solution explanation reply text content summary description "
            "assistant rationale reason analysis feedback 回答 答案 回复 解析",
        ),
    )
)
LABELLED = frozenset({"label", "unit", ""})
"""Roles whose short seed values are a list to choose from; `""` is a field that tells nothing by its name."""

SUMS = re.compile(r"problem|conver|arithmetic|math|calculat|word prob|应用题|换算|计算|数学")
AFTER_STOP = re.compile(r"([.!?] )([a-z])")
DEFAULT_LENGTH = {"en": 120, "zh": 45}
"""Characters of an answer where no seed shows how long answers are."""


@functools.lru_cache(maxsize=4096)
def role_of(name: str) -> str:
    """What kind of text a field holds, from its name: the first role one of whose words is in it; else `""`."""
    parts = set(re.findall(r"[a-z]+|[㐀-鿿]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    return next((role for role, names in ROLES if parts & names), "")


class Writer:
    """Writes the texts of one reply."""

    def __init__(self, words: Words, material: Material, draw: Draw) -> None:
        self.words = words
        self.material = material
        self.draw = draw
        self.expand = words.grammar.expand
        self.chinese = words.language == "zh"

    def string(self, node: Node, scene: Scene) -> str:
        """A value for a string field that has no `enum`."""
        if node.pattern and (text := matching(node.pattern, self.draw)) is not None:
            return text
        if node.format and (text := formatted(node.format, self.draw)) is not None:
            return text
        profile = self.material.at(node.path)
        role = role_of(node.name)
        if profile.texts and (text := self._like_the_seeds(profile, role)) is not None:
            return self._fitted(text, node, scene)
        if role in ("id", "email", "url"):
            if role == "id":
                return self._fitted(f"{int(self.draw() * 16**8):08x}", node, scene)
            return formatted(role, self.draw) or ""
        return self._fitted(self._composed(role, node, profile, scene), node, scene)

    def sentence(self, symbol: str, scene: Scene) -> str:
        """One sentence, with its capital letter and its full stop."""
        return self._finished(self.expand(symbol, self.draw, scene))

    def _like_the_seeds(self, profile: Profile, role: str) -> str | None:
        """A value in the manner of values that are labels, codes or sometimes left blank; None for real texts."""
        draw, texts = self.draw, profile.texts
        if profile.blank and draw() < profile.blank:
            return ""
        if profile.coded:
            return re.sub(r"\d", lambda found: str(int(draw() * 9) + 1), texts[int(draw() * len(texts))])
        if profile.short and role in LABELLED:
            return texts[int(draw() * len(texts))]
        return None

    def _composed(self, role: str, node: Node, profile: Profile, scene: Scene) -> str:
        if role in ("label", "title", "full_name", "place", "unit"):
            return self.expand(role, self.draw, scene)
        if role == "step":
            return self.expand("step" if SUMS.search(node.about) else "action", self.draw, scene)
        if role == "vague":
            return self.sentence("vague", scene)
        if role == "ask" or (role == "" and profile.asks):
            return self.question(profile, scene, sums=bool(SUMS.search(node.about)))
        if role == "" and not profile.texts and SUMS.search(node.about):
            return self.sentence("title", scene)
        return self.answer(profile, scene)

    def question(self, profile: Profile, scene: Scene, *, sums: bool = False) -> str:
        """A request of one or two sentences; most of them grow out of a seed's clause where there are seeds."""
        draw = self.draw
        if profile.clauses and draw() < 0.8:
            clause = profile.clauses[int(draw() * len(profile.clauses))]
            scene["seed"] = self.words.swapped(clause.pieces, draw)
            symbol = "ask_seeded" if clause.asks or not self.chinese else "ask_stated"
            return self._finished(self.expand(symbol, draw, scene), asks=clause.asks or self.chinese)
        return self.sentence("problem" if sums else "ask", scene)

    def answer(self, profile: Profile, scene: Scene) -> str:
        """Sentences up to about the length that the seeds have."""
        draw = self.draw
        wanted = (profile.length or DEFAULT_LENGTH[self.words.language]) * (0.75 + 0.5 * draw())
        text = ""
        while not text or len(text) < wanted - 30:
            if profile.clauses and draw() < (0.35 if text else 0.75):
                clause = profile.clauses[int(draw() * len(profile.clauses))]
                scene["seed"] = self.words.swapped(clause.pieces, draw)
                text = self._joined(text, self.sentence("say_seeded", scene))
            else:
                text = self._joined(text, self.sentence("say", scene))
            if len(text) > 6000:
                break
        return text

    def shorter(self, than: str, scene: Scene) -> str:
        """A vague answer, shorter than the text `than` and different from it."""
        for _ in range(4):
            text = self.sentence("vague", scene)
            if len(text) < len(than):
                return text
        return self._cut(than, max(1, len(than) // 2))

    def _joined(self, text: str, more: str) -> str:
        return f"{text}{'' if self.chinese else ' '}{more}" if text else more

    def _finished(self, text: str, *, asks: bool = False) -> str:
        if self.chinese:
            return text if text[-1:] in "。？！" else text + ("？" if asks else "。")
        text = AFTER_STOP.sub(lambda found: found[1] + found[2].upper(), text[:1].upper() + text[1:])
        return text if text[-1:] in ".?!" else text + ("?" if asks else ".")

    def _fitted(self, text: str, node: Node, scene: Scene) -> str:
        """`text` made to keep the field's limits of length."""
        least, most = node.min_length, node.max_length
        while len(text) < least:
            text = self._joined(text, self.sentence("say", scene))
        if most is None or len(text) <= most:
            return text
        for symbol in ("vague", "title", "label"):
            shorter = self.expand(symbol, self.draw, scene)
            if least <= len(shorter) <= most and role_of(node.name) != "ask":
                return shorter
        cut = self._cut(text, most)
        return cut if len(cut) >= least else text[:most]

    def _cut(self, text: str, most: int) -> str:
        cut = text[:most]
        if not self.chinese and len(text) > most and " " in cut:
            cut = cut[: cut.rindex(" ")]
        return cut.rstrip(" ,;，；、") or text[:most]
