"""Word problems about quantities, whose numbers agree from the question over the steps to the answer."""

import re
from collections.abc import Callable

from datasynth.tasks.llm.simulated.grammar import Draw, Grammar, Scene

SUMS = re.compile(r"word problem|\bmath|arithmetic|unit conver|calculat|应用题|算术|换算|数学题")
"""What a schema says of records that are word problems."""

CONVERSIONS = (
    ("length", "m", "km", 1000),
    ("mass", "g", "kg", 1000),
    ("volume", "ml", "l", 1000),
    ("volume", "mL", "L", 1000),
    ("time", "min", "h", 60),
    ("length", "米", "千米", 1000),
    ("mass", "克", "千克", 1000),
    ("volume", "毫升", "升", 1000),
    ("time", "分钟", "小时", 60),
)
"""Dimension, smaller unit, larger unit, and how many of the one make the other."""

Fits = Callable[[float], bool]
"""Whether a number may stand in the record's field for the answer."""


def pose(scene: Scene, grammar: Grammar, draw: Draw, fits: Fits) -> None:
    """Decides on a problem, unless `scene` has one: its dimension and plot, and every number it needs.

    With a unit that is no part of `CONVERSIONS`, or an answer that would not fit, nothing is converted.
    """
    if "plot" in scene:
        return
    known = [c for c in CONVERSIONS if scene.get("unit") in c[1:3]]
    kind, small, large, factor = (known or CONVERSIONS[:3])[0 if known else int(draw() * 3)]
    if "unit" not in scene:
        scene["unit"] = (small, large)[int(draw() * 2)]
    scene |= {"kind": kind, "small": small, "large": large, "factor": str(factor)}
    for _ in range(6):
        plot, numbers, result = _converted(scene["unit"] == large, factor, draw)
        if known and fits(result):
            break
    else:
        n, m = int(grammar.expand("n", draw, {})), int(grammar.expand("m", draw, {}))
        plot, numbers, result = "each", {"n": n, "m": m, "product": n * m}, n * m
        scene["given"] = scene["unit"]
    if plot == "each" and "given" not in scene:
        scene["given"] = small if scene["unit"] == large else large
    scene |= {name: plain(value) for name, value in numbers.items()}
    scene |= {"plot": plot, "result": plain(result)}


def _converted(to_large: bool, factor: int, draw: Draw) -> tuple[str, dict[str, int], float]:
    """Plot, numbers and result: a number of equal parts added up, or a part taken away from a whole."""
    if draw() < 0.35:
        whole, part = 2 + int(draw() * 19), max(5, int(draw() * factor * 0.19) * 5)
        rest = whole * factor - part
        numbers = {"n": whole, "m": part, "whole": whole * factor, "product": rest}
        return "left", numbers, rest / factor if to_large else rest
    n = 3 + int(draw() * 38)
    m = 5 * (1 + int(draw() * factor * 0.18)) if to_large else 2 + int(draw() * 23)
    return "each", {"n": n, "m": m, "product": n * m}, n * m / factor if to_large else n * m * factor


def question_of(scene: Scene) -> str:
    """The grammar's symbol for the question of the problem in `scene`."""
    # Ropes are sold by the metre and roads are measured in kilometres, so each size has its own stories.
    large = scene["plot"] == "each" and scene["given"] == scene["large"]
    return f"{scene['plot']}_{scene['kind']}{'_large' if large else ''}"


def steps_of(scene: Scene) -> list[str]:
    """The grammar's symbols for the steps that solve it, in order."""
    if scene["plot"] == "left":
        last = ["left_divide"] if scene["unit"] == scene["large"] else []
        return ["left_convert", "left_subtract", *last]
    if scene["given"] == scene["unit"]:
        return ["each_note", "each_multiply"]
    return ["each_multiply", "each_factor", "each_divide" if scene["unit"] == scene["large"] else "each_enlarge"]


def plain(number: float) -> str:
    """`number` without an exponent, with at most three decimals."""
    return str(int(number)) if number == int(number) else f"{number:.3f}".rstrip("0")
