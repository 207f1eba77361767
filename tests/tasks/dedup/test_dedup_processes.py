"""What an index decides and saves is the same in any process, and no weaker than the exact similarity asks."""

import hashlib
import random
import subprocess
import sys

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.jaccard import similarity
from datasynth.tasks.dedup.views import View


def digests() -> str:
    """Of the decisions on 200 records, and of the index saved after them."""
    rng = random.Random(5)
    words = [f"w{n}" for n in range(30)] + list("你好世界我们的订单")
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(150)]
    texts += [" ".join([*text.split()[:11], "new"]) for text in texts[::3]]
    index = NearDuplicateIndex(DedupSettings(), (View("record", (Field(name="text"),), least_units=0),))
    matches = index.screen([{"text": text} for text in texts], [f"r{n}" for n in range(len(texts))])
    return " ".join(hashlib.sha256(data).hexdigest() for data in (repr(matches).encode(), index.dump()))


def test_decisions_and_saved_bytes_do_not_depend_on_the_process():
    # It takes its seconds to import NumPy and datasketch once more.
    code = f"import runpy; print(runpy.run_path({__file__!r})['digests']())"
    other = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True, text=True
    )
    assert other.stdout.strip() == digests()


def test_of_all_pairs_alike_in_a_crowd_none_is_missed(language, whole):
    rng = random.Random(11)
    crowd = [rng.choices(language.words, k=40) for _ in range(40)]
    crowd += [language.reworded(rng.choice(crowd), rng.randrange(9), rng) for _ in range(160)]
    texts = [language.text(words) for words in crowd]
    found = NearDuplicateIndex(DedupSettings(), whole).screen(
        [{"text": text} for text in texts], [f"r{n}" for n in range(len(texts))]
    )
    kept = [text for text, match in zip(texts, found, strict=True) if match is None]
    assert all(language.jaccard(a, b) < 0.7 for n, a in enumerate(kept) for b in kept[:n])
    assert all(match is None or match.similarity >= 0.7 for match in found)
    assert len(kept) < len(texts) - 50


def test_our_similarity_is_the_exact_one(language):
    rng = random.Random(3)
    for _ in range(100):
        words = rng.choices(language.words, k=rng.randrange(1, 30))
        one, other = language.text(words), language.text(language.reworded(words, rng.randrange(len(words)), rng))
        if language.shingles(one) and language.shingles(other):
            assert similarity(one, other, DedupSettings()) == language.jaccard(one, other)
