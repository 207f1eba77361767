"""New records by recombination: shape from the schema, matter from the seeds and the server's own words."""

import math
import re
from typing import Any

from datasynth.tasks.llm.simulated.grammar import Draw, Scene
from datasynth.tasks.llm.simulated.material import SPEAKER, SPOKEN, Profile
from datasynth.tasks.llm.simulated.reading import Reading
from datasynth.tasks.llm.simulated.shapes import Node, compile_shape, inferred_schema
from datasynth.tasks.llm.simulated.sums import SUMS, Fits
from datasynth.tasks.llm.simulated.texts import Writer, role_of

TOPICS = frozenset({"topic", "category", "domain", "subject", "theme", "intent", "主题", "话题", "类别"})
SCORES = re.compile(r"score|rating|quality|stars|grade|level|评分|质量|等级")
RESULTS = re.compile(r"answer|result|total|sum|value|答案|结果|总")
USERS = ("user", "human", "customer", "用户", "client", "student", "patient")
ASSISTANTS = ("assistant", "gpt", "bot", "model", "agent", "ai", "助手", "客服", "teacher", "doctor")


class Inventor:
    """Invents the records of one reply."""

    def __init__(self, reading: Reading, draw: Draw) -> None:
        self.reading = reading
        self.draw = draw
        self.material = reading.material
        self.aims = reading.aims
        fields = reading.record.fields
        self.writer = Writer(
            reading.words,
            reading.material,
            draw,
            sums=not reading.material.seeds and any(SUMS.search(f.about) for f in fields),
            fits=_fits_of(next((f for f in fields if _is_result(f)), None)),
        )

    def records(self, count: int) -> list[dict[str, Any]]:
        """`count` new records, none of them a seed."""
        return [self.record() for _ in range(count)]

    def record(self) -> dict[str, Any]:
        """One new record."""
        record = self._record()
        # Only records without any sentence, such as pairs of labels, can meet a seed by chance.
        for _ in range(4):
            if record not in self.material.seeds:
                break
            record = self._record()
        return record

    def _record(self) -> dict[str, Any]:
        scene: Scene = {}
        origin, apt = self._origin()
        for name, value in self.aims.items():
            if name.rsplit(".", 1)[-1].lower() in TOPICS and isinstance(value, str) and value:
                scene["topic"] = value
                if not apt:
                    scene["aimed"] = value
        self.writer.begin(None if "aimed" in scene else origin)
        record = self.object(self.reading.record, scene)
        self._tell_apart(record, scene)
        return record

    def _origin(self) -> tuple[int | None, bool]:
        """The seed to grow a record out of: one of those closest to the aims; and whether it is on their topic."""
        seeds = self.material.seeds
        if not seeds:
            return None, True
        topics = {name for name in self.aims if name.lower() in TOPICS}

        def closeness(seed: dict[str, Any]) -> tuple[int, int]:
            met = [name for name, value in self.aims.items() if seed.get(name) == value]
            return len(topics.intersection(met)), len(met)

        close = [closeness(seed) for seed in seeds]
        best = [i for i, near in enumerate(close) if near == max(close)]
        return best[int(self.draw() * len(best))], max(close)[0] == len(topics)

    def object(self, node: Node, scene: Scene) -> dict[str, Any]:
        """An object of the shape `node`, or of the seeds' shape where the schema names no field."""
        if not node.fields:
            inner = compile_shape(inferred_schema(self.material.at(node.path).values))
            fields = tuple(_placed(f, node.path) for f in inner.fields)
            node = Node(node.name, node.path, "object", about=node.about, fields=fields, required=inner.required)
        found: dict[str, Any] = {}
        # What a record is filed under comes first, so that its sentences can speak of it.
        for late in (False, True):
            for field in node.fields:
                if self._is_late(field) is late and self._present(node, field):
                    found[field.name] = self.value(field, scene)
        return {f.name: found[f.name] for f in node.fields if f.name in found}

    def _is_late(self, node: Node) -> bool:
        return not (node.enum or role_of(node.name) in ("label", "unit") or self.material.at(node.path).short)

    def _present(self, owner: Node, field: Node) -> bool:
        if not owner.required or field.name in owner.required or field.path in self.aims:
            return True
        return self.draw() < 0.8

    def value(self, node: Node, scene: Scene) -> Any:
        """A value for `node`; labels and units also become what the record speaks of."""
        if node.path in self.aims:
            value = _fitting(self.aims[node.path], node)
        elif node.nullable and self.draw() < 0.1:
            return None
        elif node.enum:
            own = [v for v in self.material.at(node.path).of(self.writer.origin) if v in node.enum]
            choices = own if own and self.draw() < 0.6 else node.enum
            value = choices[int(self.draw() * len(choices))]
        else:
            value = self._made(node, scene)
        if isinstance(value, str) and value:
            name = node.name.lower()
            if name in TOPICS:
                scene["topic"] = value
            elif name in ("unit", "units", "单位"):
                scene["unit"] = value
        return value

    def _made(self, node: Node, scene: Scene) -> Any:
        match node.kind:
            case "string":
                return self.writer.string(node, scene)
            case "integer" | "number":
                return self.number(node, scene)
            case "boolean":
                return self.draw() < 0.5
            case "array":
                return self.conversation(node, scene) if node.turns else self.array(node, scene)
            case "object":
                return self.object(node, scene)
            case "null":
                return None
        profile = self.material.at(node.path)
        inferred = compile_shape(inferred_schema(profile.values) or {"type": "string"})
        return (
            self.value(_placed(inferred, node.path, node.name), scene) if inferred.kind != "any" else profile.values[0]
        )

    def array(self, node: Node, scene: Scene) -> list[Any]:
        """A list of as many items as the schema, or else the seeds, have."""
        profile = self.material.at(node.path)
        least, most = _sizes(node, profile)
        count = least + int(self.draw() * (most - least + 1))
        items = node.items
        if items is None or items.kind == "any":
            inner = compile_shape(inferred_schema(self.material.at(f"{node.path}[]").values) or {"type": "string"})
            items = _placed(inner, f"{node.path}[]", node.name)
        if self.writer.sums and items.kind == "string" and role_of(node.name) == "step":
            steps = self.writer.steps(scene)
            checks = [self.writer.expand("check", self.draw, scene) for _ in range(least - len(steps))]
            # Where fewer are allowed, the last ones hold the answer.
            return [*steps, *checks][-(node.max_items or len(steps) + len(checks)) :]
        values: list[Any] = []
        for trial in range(count * 4):
            value = self.value(items, scene)
            if value not in values or (trial >= count * 3 and not node.unique):
                values.append(value)
            if len(values) == count:
                break
            # Items that speak of different things read better than variations of one.
            scene = {k: v for k, v in scene.items() if k in ("topic", "unit", "n", "m")}
        return values

    def conversation(self, node: Node, scene: Scene) -> list[dict[str, str]]:
        """Turns that alternate, the user's first and the assistant's last."""
        role, content, first, second = self._speakers(node)
        profile = self.material.at(node.path)
        least, most = _sizes(node, profile) if profile.sizes or node.min_items else (2, 6)
        pairs = max(1, math.ceil(least / 2) + int(self.draw() * (max(0, most // 2 - math.ceil(least / 2)) + 1)))
        if node.max_items is not None:
            pairs = max(1, min(pairs, node.max_items // 2))
        asked, answered = (self.material.at(f"{node.path}[]:{who}") for who in (first, second))
        turns = []
        for part in ((number, pairs) for number in range(pairs)):
            turns += [{role: first, content: self.writer.question(asked, scene, part)}]
            turns += [{role: second, content: self.writer.answer(answered, scene, part)}]
            scene = {k: v for k, v in scene.items() if k in ("topic", "object", "person", "staff", "aimed")}
        return turns

    def _speakers(self, node: Node) -> tuple[str, str, str, str]:
        fields = node.items.fields if node.items else ()
        names = {f.name: f for f in fields} or dict.fromkeys(n for v in self._seed_turns(node) for n in v)
        role = next((n for n in SPEAKER if n in names), "role")
        content = next((n for n in SPOKEN if n in names), "content")
        known = [str(v) for f in fields if f.name == role for v in f.enum] or [
            str(v[role]) for v in self._seed_turns(node) if role in v
        ]
        first = next((k for k in known if k.lower() in USERS), "user")
        second = next((k for k in known if k.lower() in ASSISTANTS), "assistant")
        return role, content, first, second

    def _seed_turns(self, node: Node) -> list[dict[str, Any]]:
        return [v for v in self.material.at(f"{node.path}[]").values if isinstance(v, dict)]

    def number(self, node: Node, scene: Scene) -> int | float:
        """A number within the schema's bounds, or else within what the seeds show."""
        low, high = self._range(node)
        whole = node.kind == "integer"
        if self.writer.sums and _is_result(node):
            self.writer.pose(scene)
            result = float(scene["result"])
            if self.writer.fits(result):
                return int(result) if result.is_integer() else result
        if node.step:
            steps = max(0, math.floor(high / node.step) - math.ceil(low / node.step))
            value = (math.ceil(low / node.step) + int(self.draw() * (steps + 1))) * node.step
            return int(value) if whole or value == int(value) else round(value, 6)
        if whole:
            first = math.ceil(low)
            return first + int(self.draw() * (math.floor(high) - first + 1))
        return max(low, min(high, round(low + self.draw() * (high - low), 2)))

    def _range(self, node: Node) -> tuple[float, float]:
        low, high = node.low, node.high
        if low > -math.inf and high < math.inf:
            return low, high
        values = [v for v in self.material.at(node.path).values if isinstance(v, int | float)]
        if values:
            guess = (min(values), max(values))
        elif SCORES.search(node.name.lower()):
            guess = (1, 5)
        elif node.name.lower() in ("year", "年份"):
            guess = (1990, 2025)
        else:
            guess = (0, 100)
        low, high = (guess[0] if low == -math.inf else low), (guess[1] if high == math.inf else high)
        return (low, high) if low <= high else (low, low + 100) if node.low > -math.inf else (high - 100, high)

    def _tell_apart(self, record: dict[str, Any], scene: Scene) -> None:
        """Makes `rejected` a shorter and vaguer answer than `chosen`, to the same conversation."""
        chosen, rejected = record.get("chosen"), record.get("rejected")
        if isinstance(chosen, str) and isinstance(rejected, str) and len(rejected) >= len(chosen):
            record["rejected"] = self.writer.shorter(chosen, scene)
        if not (isinstance(chosen, list) and isinstance(rejected, list) and chosen and isinstance(chosen[-1], dict)):
            return
        last = dict(chosen[-1])
        for key in SPOKEN:
            if isinstance(last.get(key), str):
                last[key] = self.writer.shorter(last[key], scene)
                record["rejected"] = [*chosen[:-1], last]


def _is_result(node: Node) -> bool:
    return node.kind in ("integer", "number") and bool(RESULTS.search(node.name.lower()))


def _fits_of(node: Node | None) -> Fits:
    """Whether a number may stand in `node`; any may where there is no such field."""
    if node is None:
        return lambda number: True
    return lambda number: (
        node.low <= number <= node.high
        and (node.kind == "number" or number == int(number))
        and not (node.step and number % node.step)
    )


def _placed(node: Node, path: str, name: str | None = None) -> Node:
    """An inferred node moved to its place among the seeds."""
    node.path = f"{path}.{node.path}" if path and node.path and not node.path.startswith("[") else path + node.path
    if name is not None:
        node.name = name
    for inner in (*node.fields, *((node.items,) if node.items else ())):
        _placed(inner, path, None)
    return node


def _sizes(node: Node, profile: Profile) -> tuple[int, int]:
    least = node.min_items or (min(profile.sizes) if profile.sizes else 2)
    most = max(profile.sizes) if profile.sizes else max(4, node.min_items + 2)
    if node.max_items is not None:
        most = min(most, node.max_items)
        least = min(least, node.max_items)
    return least, max(least, most)


def _fitting(value: Any, node: Node) -> Any:
    """An aim's value as the field's type; unchanged where it is no such value."""
    try:
        if node.kind == "integer":
            return int(value)
        if node.kind == "number":
            return float(value)
    except (TypeError, ValueError):
        return value
    return str(value) if node.kind == "string" and not isinstance(value, str) else value
