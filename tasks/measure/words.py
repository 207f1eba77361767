"""A text as the sequence of its words."""

import re

from datasynth.tasks.dedup.text import fold

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\uf900-\ufaff\U00020000-\U0003ffff"  # Han, Yi
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:(?<=\\d)[.,:](?=\\d)[^\\W_{_UNSPACED}]+)*")
"""A character of a script that writes no spaces between words, or a word of any other; 3.5 is one word."""


def words(text: str) -> list[str]:
    """The words of `text` in order, folded: single characters in Chinese and other scripts without spaces.

    The units of `dedup/text.py`, which keeps no order that can be read back, without its signs and symbols.
    """
    return _WORD.findall(fold(text))
