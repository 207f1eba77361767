"""New texts out of the seeds' sentences and the server's own words."""

import functools
import re

from datasynth.tasks.llm.simulated.grammar import Draw, Scene, Swap, Words
from datasynth.tasks.llm.simulated.material import Material, Profile, Sentence
from datasynth.tasks.llm.simulated.patterns import formatted, matching
from datasynth.tasks.llm.simulated.shapes import Node
from datasynth.tasks.llm.simulated.sums import Fits, pose, question_of, steps_of

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

AFTER_STOP = re.compile(r"([.!?] )([a-z])")
DEFAULT_LENGTH = {"en": 120, "zh": 45}
"""Characters of an answer where no seed shows how long answers are."""
OWN_SHARE = 0.7
"""Least length of new sentences, relative to what is taken from a seed: two records that grow out of the same seed
then share less than half of their words."""
OWN_LEAST = {"en": 110, "zh": 32}
"""The same in characters, for seeds of a few words."""
MOST = 4000
"""Characters after which an answer is not made longer, however long those of the seeds are."""


@functools.lru_cache(maxsize=4096)
def role_of(name: str) -> str:
    """What kind of text a field holds, from its name: the first role one of whose words is in it; else `""`."""
    parts = set(re.findall(r"[a-z]+|[㐀-鿿]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    return next((role for role, names in ROLES if parts & names), "")


class Writer:
    """Writes the texts of one record after the other."""

    def __init__(self, words: Words, material: Material, draw: Draw, *, sums: bool, fits: Fits) -> None:
        """Args:
        sums: whether records are word problems.
        fits: whether a number may be the answer to one.
        """
        self.words = words
        self.material = material
        self.draw = draw
        self.sums = sums
        self.fits = fits
        self.expand = words.grammar.expand
        self.chinese = words.language == "zh"
        self.begin(None)

    def begin(self, origin: int | None) -> None:
        """Starts a record that grows out of the seed `origin`, or out of no seed."""
        self.origin = origin
        self.swap = Swap(self.draw)

    def string(self, node: Node, scene: Scene) -> str:
        """A value for a string field that has no `enum`."""
        if node.pattern and (text := matching(node.pattern, self.draw)) is not None:
            return text
        if node.format and (text := formatted(node.format, self.draw)) is not None:
            return text
        profile = self.material.at(node.path)
        role = role_of(node.name)
        if (profile.texts or profile.blank) and (text := self._like_the_seeds(profile, role)) is not None:
            return self._fitted(text, node, scene)
        if role in ("id", "email", "url"):
            if role == "id":
                return self._fitted(f"{int(self.draw() * 16**8):08x}", node, scene)
            return self._fitted(formatted(role, self.draw) or "", node, scene)
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
            own = [v for v in profile.of(self.origin) if v]
            if own and draw() < 0.8:
                return own[int(draw() * len(own))]
            return texts[int(draw() * len(texts))]
        return None

    def _composed(self, role: str, node: Node, profile: Profile, scene: Scene) -> str:
        if role == "label" and self.sums:
            self.pose(scene)
            return self.expand(f"label_{scene['kind']}", self.draw, scene)
        if role in ("label", "title", "full_name", "place", "unit"):
            return self.expand(role, self.draw, scene)
        if role == "step":
            return self.expand("action", self.draw, scene)
        if role == "vague":
            return self.poorer(profile, scene)
        if role == "ask" or (role == "" and profile.asks):
            return self.question(profile, scene)
        if role == "" and not profile.texts and self.sums:
            return self.sentence("title", scene)
        return self.answer(profile, scene)

    def pose(self, scene: Scene) -> None:
        """Makes sure that `scene` has a word problem."""
        pose(scene, self.words.grammar, self.draw, self.fits)

    def steps(self, scene: Scene) -> list[str]:
        """The steps that solve the word problem of `scene`, in order."""
        self.pose(scene)
        return [self.expand(symbol, self.draw, scene) for symbol in steps_of(scene)]

    def question(self, profile: Profile, scene: Scene, part: tuple[int, int] = (0, 1)) -> str:
        """A request: what the record's seed asks, in other circumstances; else one of the server's own.

        `part`: which of how many portions of the seed's sentences; a conversation uses them up one by one.
        """
        taken = self._taken(profile, part)
        if not taken:
            return self._own_question(scene, later=part[0] > 0)
        text = ""
        for sentence in taken:
            scene["seed"] = self.words.swapped(sentence.pieces, self.swap)
            last = sentence is taken[-1] and not any(s.asks for s in taken)
            said = self.expand("stated", self.draw, scene) if last and self.chinese else scene["seed"]
            text = self._joined(text, self._finished(said, asks=sentence.asks or (last and self.chinese)))
        wanted = len(text) + max(len(text) * OWN_SHARE, OWN_LEAST[self.words.language] * (0.5 + self.draw()))
        front = self.draw() < 0.6
        if front:
            text = self._joined(self.sentence("before", scene), text)
        if not front or len(text) < wanted:
            text = self._joined(text, self.sentence("after", scene))
        while len(text) < wanted:
            text = self._joined(self._another("before", scene, text), text)
        return text

    def _own_question(self, scene: Scene, *, later: bool) -> str:
        if later:
            return self.sentence("follow_seeded" if self.material.seeds else "follow", scene)
        if self.sums:
            self.pose(scene)
            return self.sentence(question_of(scene), scene)
        return self.sentence("ask_topic" if "aimed" in scene else "ask", scene)

    def answer(self, profile: Profile, scene: Scene, part: tuple[int, int] = (0, 1)) -> str:
        """What the record's seed answers, with sentences of the server's own; about as long as the seeds' answers."""
        draw = self.draw
        taken = self._taken(profile, part)
        if self.sums and not taken:
            return " ".join(map(self._finished, self.steps(scene)))
        text, own = "", 0
        for sentence in taken:
            said = self.words.swapped(sentence.pieces, self.swap)
            text = self._joined(text, self._finished(said, asks=sentence.asks))
        if self.material.seeds:
            first, later = "say_topic" if "aimed" in scene else "more", "more"
        else:
            first = later = "say"
        usual = (profile.length or DEFAULT_LENGTH[self.words.language]) * (0.75 + 0.5 * draw()) / part[1] - 30
        least = max(len(text) * OWN_SHARE, min(usual, MOST) - len(text), 1)
        if taken:
            least = max(least, OWN_LEAST[self.words.language] * (0.5 + draw()))
        while own < least:
            more = self._another(later if own else first, scene, text)
            own += len(more)
            text = self._joined(text, more)
        return text

    def _another(self, symbol: str, scene: Scene, text: str) -> str:
        """A sentence that does not end like one in `text`, as two from the same rule would."""
        more = self.sentence(symbol, scene)
        for _ in range(2):
            if more[-8:] not in text:
                break
            more = self.sentence(symbol, scene)
        return more

    def poorer(self, profile: Profile, scene: Scene) -> str:
        """What a careless writer would answer: the seed's own poor answer and vague words."""
        taken = self._taken(profile, (0, 1))[:2]
        said = [self._finished(self.words.swapped(s.pieces, self.swap), asks=s.asks) for s in taken]
        if not said:
            said = [v.strip() for v in profile.of(self.origin) if isinstance(v, str) and v.strip()][:1]
        vague = [self.sentence("vague_seeded" if said else "vague", scene) for _ in range(1 if said else 2)]
        return ("" if self.chinese else " ").join(said + vague)

    def _taken(self, profile: Profile, part: tuple[int, int]) -> list[Sentence]:
        """Most of the sentences in one portion of the seed's text; none if it has none."""
        found = profile.sentences.get(self.origin, ()) if self.origin is not None else ()
        number, of = part
        start, end = (-(-len(found) * n // of) for n in (number, number + 1))
        portion = found[start:end]
        return [s for s in portion if self.draw() < 0.7] or list(portion[:1])

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
