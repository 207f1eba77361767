"""Records that repeat the words of the prompt."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from datasynth.schemas.messages import say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import Finding, Passages
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

WORDS: Final = 8
"""In a row. Training sets are cleared of test items by runs of 8 (PaLM, Chowdhery 2022) to 13 words (GPT-3, Brown
2020), for shorter ones meet by chance."""
SIGNS: Final = 14
"""Chinese signs in a row: about as many words."""
FEWEST_HEADING_WORDS: Final = 3
HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_GAPS: Final = r"[^\p{L}\p{N}]+"


class PromptLeak:
    """`prompt_leak`: a run of words from the prompt's own instructions, or one of its headings.

    What the recipe brought into the prompt (guidelines, descriptions, examples) is none of the prompt's own words:
    every run that is found there too is left alone.
    """

    name: ContentCheck = "prompt_leak"
    wished = False

    def __init__(self, prompts: Sequence[str], recipe: Sequence[str]) -> None:
        """Args:
        prompts: the prompts as a model reads them, examples aside.
        recipe: all texts that the recipe brings, examples included.
        """
        own = dict.fromkeys(run for text in prompts for line in text.splitlines() for run in _runs(line))
        # Seeds can be many, so only what they share with the prompt is kept of them.
        shared = {run for text in recipe for line in text.splitlines() for run in _runs(line) if run in own}
        self._runs = tuple(run for run in own if run not in shared)
        told = "\n".join(recipe)
        headings = (line.strip() for text in prompts for line in text.splitlines() if line.startswith("## "))
        self._headings = tuple(dict.fromkeys(h for h in headings if _is_telling(h) and h not in told))

    def find(self, passages: Passages) -> Iterable[Finding]:
        texts = passages.frame.lazy().filter(~pl.col("listed")).select("n", "text")
        runs = self._runs
        plain = pl.lit(" ") + pl.col("text").str.to_lowercase().str.replace_all(_GAPS, " ") + pl.lit(" ")
        dense = pl.col("text").str.replace_all(_GAPS, "")
        # The quick question of all texts, the exact one of the few that remain.
        sought = [
            (plain, [run for run in runs if run[0] == " "]),
            (dense, [run for run in runs if run[0] != " "]),
            (pl.col("text"), list(self._headings)),
        ]
        sought = [(text, literals) for text, literals in sought if literals]
        if not sought:
            return
        hit = pl.any_horizontal(text.str.contains_any(literals) for text, literals in sought)
        told = [text.str.extract_many(literals).list.first().alias(str(i)) for i, (text, literals) in enumerate(sought)]
        hits = texts.filter(hit).select("n", *told).collect()
        for n, *words in hits.iter_rows():
            run = next(filter(None, words)).strip()
            field, value = path_text(passages.all[n].keys), json_text(run, QUOTED_CHARACTERS)
            yield Finding(n, "", run, say("{field} repeats the prompt: {value}.", field=field, value=value))


def _runs(line: str) -> list[str]:
    """The runs of words in `line`, with a space before and after; in a Chinese one, of signs."""
    line = unicodedata.normalize("NFC", line)
    if len(HAN.findall(line)) >= SIGNS:
        signs = re.sub(r"[\W_]+", "", line)
        runs = (signs[i : i + SIGNS] for i in range(len(signs) - SIGNS + 1))
        # Names of fields and keys stand in Chinese lines, too.
        return [run for run in runs if len(HAN.findall(run)) > SIGNS * 2 // 3]
    words = re.sub(r"[\W_]+", " ", line.lower()).split()
    return [f" {' '.join(words[i : i + WORDS])} " for i in range(len(words) - WORDS + 1)]


def _is_telling(heading: str) -> bool:
    return len(heading.split()) > FEWEST_HEADING_WORDS or len(HAN.findall(heading)) > FEWEST_HEADING_WORDS + 1
