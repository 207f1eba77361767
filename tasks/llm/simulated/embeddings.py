"""OpenAI's embeddings API, simulated: texts of the same content words are near, whatever their order.

Each content word has a direction of its own, drawn from its digest; a text is the sum of its words' directions. So the
cosine of two texts is about the share of words they have in common.
"""

import base64
import functools
import hashlib
import math
import random
import re
from collections import Counter
from typing import Any

import numpy as np

from datasynth.tasks.llm.simulated.replies import tokens
from datasynth.tasks.llm.simulated.wire import MalformedError

DIMENSIONS = 256
MOST_TEXTS = 2048
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by can do does for from had has have how i in is it its me my of on or our so that "
        "the their them then there they this to us was we were what when where which who why will with would you your",
    )
)
STOP_CHARACTERS = frozenset("的了吗呢吧是在我你他她它们这那有和与及也都就请把被")
_WORD = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]", re.IGNORECASE)


def embedding(text: str) -> np.ndarray:
    """float32, of length 1, shape (DIMENSIONS,); the same for the same text anywhere."""
    words = Counter(_WORD.findall(text.casefold()))
    content = {w: n for w, n in words.items() if w not in STOP_WORDS and w not in STOP_CHARACTERS} or words
    vector = np.zeros(DIMENSIONS)
    for word in sorted(content):
        vector += math.sqrt(content[word]) * _direction(word)
    size = math.sqrt(math.fsum((vector * vector).tolist()))
    return (vector / size if size else _direction(text)).astype(np.float32)


@functools.lru_cache(maxsize=65_536)
def _direction(word: str) -> np.ndarray:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    rng = random.Random(digest)  # noqa: S311 - drawn anew by everybody alike
    return np.array([rng.choice((-1.0, 1.0)) for _ in range(DIMENSIONS)]) / math.sqrt(DIMENSIONS)


def embeddings_reply(body: Any) -> dict[str, Any]:
    """The reply to a request for embeddings. Source: the types of the `openai` SDK 3.52.

    Raises:
        MalformedError: no model, or no texts.
    """
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        raise MalformedError("model: Field required")
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if (
        not isinstance(texts, list)
        or not 0 < len(texts) <= MOST_TEXTS
        or not all(isinstance(t, str) and t for t in texts)
    ):
        raise MalformedError("input: a text, or a list of at most 2048 texts, none of them empty")
    vectors = [embedding(text) for text in texts]
    as_base64 = body.get("encoding_format") == "base64"
    count = sum(max(1, tokens(text)) for text in texts)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": n,
                "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()
                if as_base64
                else vector.astype(float).tolist(),
            }
            for n, vector in enumerate(vectors)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }
