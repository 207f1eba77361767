"""Speed, memory and recall of near-duplicate removal, ours beside datasketch's in the same run.

    python benchmarks/dedup.py [signatures | screening | reload | recall] ...

`signatures`: MinHash signatures, beside datasketch's ways to make them; of the same hashes they have the same values.
datasketch gets shingles cut already, but for "from texts", where they are cut by `str.split` and nothing is normalised.
`screening`: records through the index, beside a plain loop over datasketch's `MinHashLSH`. One record in ten is another
one with a twentieth of its words replaced (Jaccard above 0.8).
`reload`: a saved index loaded, and what the first search after it takes once more, in CPU seconds; of a file that was
read, and of one that is mapped into memory.
`recall`: of planted pairs at or above a threshold, those found, and how many below it are refused by mistake.

Texts have about 500 characters, English and Chinese in turn. Signatures are made by turns; screening and reloading run
in a process of their own each; memory is the process's peak, and in brackets what of it is beyond the texts. On a
machine that others use too, look at the CPU seconds and the ratios.
"""

import argparse
import itertools
import mmap
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import orjson
from datasketch import MinHash, MinHashLSH

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.minhash import signatures
from datasynth.tasks.dedup.text import Shingled, shingled
from datasynth.tasks.dedup.views import View

EVERY = 10
"""One record in so many is a near-duplicate of an original before it."""
WHOLE = (View("record", (Field(name="text"),), least_units=0),)
LETTERS = "abcdefghijklmnoprstuvwy"


def vocabularies(rng: random.Random) -> tuple[list[str], list[str]]:
    english = ["".join(rng.choices(LETTERS, k=rng.randrange(2, 9))) for _ in range(20_000)]
    chinese = [chr(0x4E00 + rng.randrange(5000)) + chr(0x4E00 + rng.randrange(5000)) for _ in range(20_000)]
    return english, chinese


def texts_of(count: int) -> list[str]:
    rng = random.Random(0)
    english, chinese = vocabularies(rng)
    originals: list[tuple[list[str], str]] = []
    texts: list[str] = []
    for n in range(count):
        if n and n % EVERY == 0:
            words, joint = rng.choice(originals)
            words = list(words)
            for place in rng.sample(range(len(words)), len(words) // 20):
                words[place] = rng.choice(english if joint else chinese)
        else:
            words, joint = (rng.choices(english, k=80), " ") if n % 2 else (rng.choices(chinese, k=250), "")
            if len(originals) < 50_000:  # enough to choose from; all of them would be most of the memory
                originals.append((words, joint))
        texts.append(joint.join(words))
    return texts


def pairs_of_units(text: str) -> list[bytes]:
    units = text.split(" ") if " " in text else list(text)
    return [" ".join(pair).encode() for pair in set(itertools.pairwise(units))]


def by_update(sets: list[list[bytes]]) -> list[MinHash]:
    made = []
    for shingles in sets:
        one = MinHash(num_perm=128)
        for shingle in shingles:
            one.update(shingle)
        made.append(one)
    return made


def by_update_batch(sets: list[list[bytes]]) -> list[MinHash]:
    made = []
    for shingles in sets:
        one = MinHash(num_perm=128)
        one.update_batch(shingles)
        made.append(one)
    return made


def compare_signatures(count: int, rounds: int) -> None:
    """datasketch's ways get shingles as bytes, as its users have them, or hashed; ours hashed ones, or whole texts."""
    texts = texts_of(count)
    batches = [_batch(texts, n) for n in range(0, count, 512)]
    few, some = count // 20, count // 4
    shingles = [pairs_of_units(text) for text in texts[:some]]
    hashed = [values.tolist() for batch in batches for values in np.split(batch.values, batch.offsets[1:-1])][:some]

    def from_texts() -> None:
        for n in range(0, count, 512):
            batch = _batch(texts, n)
            signatures(batch.values, batch.offsets)

    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "MinHash.update": (few, lambda: by_update(shingles[:few])),
        "MinHash.update_batch": (some, lambda: by_update_batch(shingles)),
        "MinHash.bulk": (some, lambda: MinHash.bulk(shingles, num_perm=128)),
        "MinHash.bulk, from texts": (
            some,
            lambda: MinHash.bulk([pairs_of_units(text) for text in texts[:some]], num_perm=128),
        ),
        "MinHash.bulk, hashed": (some, lambda: MinHash.bulk(hashed, num_perm=128, hashfunc=int)),
        "ours, from texts": (count, from_texts),
        "ours, hashed": (count, lambda: [signatures(batch.values, batch.offsets) for batch in batches]),
    }
    rates: dict[str, float] = {}
    for _ in range(rounds):
        for name, (size, way) in ways.items():
            start = time.process_time()
            way()
            rates[name] = max(rates.get(name, 0.0), size / (time.process_time() - start))
    ours = np.concatenate([signatures(batch.values, batch.offsets) for batch in batches])[:some]
    theirs = [one.hashvalues for one in MinHash.bulk(hashed, num_perm=128, hashfunc=int)]
    print(f"signatures, 128 permutations, best of {rounds}; ours equal to datasketch's: {np.array_equal(ours, theirs)}")
    for name, rate in rates.items():
        bases = ("MinHash.update", "MinHash.bulk", "MinHash.bulk, from texts")
        ratios = "   ".join(f"{rate / rates[base]:6.1f} x {base}" for base in bases)
        print(f"  {name:24} {rate:>9,.0f} a CPU second   {ratios}")


def _batch(texts: list[str], first: int) -> Shingled:
    return shingled(texts[first : first + 512], DedupSettings())


def ours(texts: list[str]) -> int:
    index = NearDuplicateIndex(DedupSettings(), WHOLE)
    matches = index.screen([{"text": text} for text in texts], [str(n) for n in range(len(texts))])
    return len(matches) - matches.count(None)


def plain(texts: list[str]) -> int:
    lsh, found = MinHashLSH(threshold=0.7, num_perm=128), 0
    for n, text in enumerate(texts):
        signature = MinHash(num_perm=128)
        signature.update_batch(pairs_of_units(text))
        if lsh.query(signature):
            found += 1
        else:
            lsh.insert(n, signature)
    return found


CONTESTANTS: dict[str, Callable[[list[str]], int]] = {"datasketch, a plain loop": plain, "NearDuplicateIndex": ours}


def in_process(what: str, name: str, count: int) -> dict[str, Any]:
    command = [sys.executable, __file__, what, "--child", name, "--counts", str(count)]
    return orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def screen_in_child(name: str, count: int) -> dict[str, Any]:
    texts = texts_of(count)
    CONTESTANTS[name](texts[:200])  # what is loaded and compiled once
    before = resident()
    start, worked = time.perf_counter(), time.process_time()
    found = CONTESTANTS[name](texts)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    return {"seconds": seconds, "cpu": worked, "found": found, "peak": peak(), "beyond": max(0, peak() - before)}


def compare_screening(counts: list[int], plain_counts: list[int], rounds: int) -> None:
    for count in counts:
        names = [name for name in CONTESTANTS if name != "datasketch, a plain loop" or count in plain_counts]
        best: dict[str, dict[str, Any]] = {}
        for _ in range(rounds):
            for name in names:
                result = in_process("screening", name, count)
                best[name] = min(best.get(name, result), result, key=lambda r: r["seconds"])
        planted = len(range(EVERY, count, EVERY))
        print(f"screening {count:,} records of 500 characters, {planted:,} near-duplicates planted")
        base = best[names[0]]["cpu"]
        for name, result in best.items():
            ratio = f"{base / result['cpu']:6.1f} x the first" if len(best) > 1 else ""
            print(
                f"  {name:25} {result['seconds']:>7,.1f} s, {count / result['seconds']:>7,.0f} a second, "
                f"{count / result['cpu']:>7,.0f} a CPU second, peak {result['peak'] / 2**20:>6,.0f} MB "
                f"({result['beyond'] / 2**20:,.0f}), {result['found']:,} found {ratio}"
            )


def read_file(name: str) -> bytes:
    return Path(name).read_bytes()


def mapped_file(name: str) -> mmap.mmap:
    with Path(name).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def reload_in_child(name: str, get: Callable[[str], bytes | mmap.mmap]) -> dict[str, Any]:
    """`name` is the file of a saved index."""
    rng = np.random.default_rng(0)
    record = [{"text": " ".join(map(str, rng.integers(0, 10**9, 60).tolist()))}]
    NearDuplicateIndex(DedupSettings(), WHOLE).screen(record, ["warm"])
    index = NearDuplicateIndex(DedupSettings(), WHOLE)
    clock = time.process_time
    start = clock()
    data = get(name)
    read = clock()
    index.load(data)
    loaded = clock()
    index.screen(record, ["first"])
    searched = clock()
    return {
        "read": read - start,
        "load": loaded - read,
        "first": searched - loaded,
        "records": len(index) - 1,
        "bytes": len(data),
        "peak": peak(),
    }


def measure_reload(counts: list[int]) -> None:
    for count in counts:
        index = NearDuplicateIndex(DedupSettings(), WHOLE)
        index.add([{"text": text} for text in texts_of(count)], [str(n) for n in range(count)])
        with NamedTemporaryFile(suffix=".npz") as file:
            file.write(index.dump())
            file.flush()
            del index
            for way in ("read", "mapped"):
                result = in_process(way, file.name, count)
                million = 1e6 / result["records"]
                whole = (result["read"] + result["load"] + result["first"]) * million
                print(
                    f"reload of {result['records']:,} records ({result['bytes'] / 2**20:,.0f} MB), {way}: "
                    f"{result['read']:.2f} s, load {result['load']:.2f} s, first search {result['first']:.2f} s; "
                    f"{whole:.2f} s a million; peak {result['peak'] / 2**20:,.0f} MB"
                )


def measure_recall(pairs: int) -> None:
    """Copies of 60 words with 0 to 30 of them replaced, by threshold; the exact similarity is taken by plain sets."""
    print(f"recall at and above the threshold, and refused below it, {pairs:,} pairs a cell")
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        cells = [f"  {threshold:.1f}"]
        for language in ("en", "zh"):
            near, found, wrong, close, close_found = recall_of(threshold, language, pairs)
            cells.append(
                f"{language}: {found:,} of {near:,} ({found / max(1, near):.4f}), within 0.03 of it {close_found} of "
                f"{close}, wrong {wrong}"
            )
        print("   ".join(cells))


def recall_of(threshold: float, language: str, pairs: int) -> tuple[int, int, int, int, int]:
    rng = random.Random(f"{threshold} {language}")
    words, joint = vocabularies(rng)[language == "zh"], " " if language == "en" else ""
    originals = [rng.choices(words, k=60) for _ in range(pairs)]
    copies = []
    for original in originals:
        copy = list(original)
        for place in rng.sample(range(60), rng.randrange(0, 24)):
            copy[place] = rng.choice(words)
        copies.append(copy)
    index = NearDuplicateIndex(DedupSettings(threshold=threshold), WHOLE)
    index.add([{"text": joint.join(text)} for text in originals], [str(n) for n in range(pairs)])
    # Each by itself: a copy is never refused for another copy's sake.
    matches = index.peek([{"text": joint.join(text)} for text in copies])
    sets = [[set(pairs_of_units(joint.join(text))) for text in texts] for texts in (originals, copies)]
    alike = [len(a & b) / len(a | b) for a, b in zip(*sets, strict=True)]
    near = [match for match, j in zip(matches, alike, strict=True) if j >= threshold]
    close = [match for match, j in zip(matches, alike, strict=True) if threshold <= j < threshold + 0.03]
    wrong = sum(match is not None for match, j in zip(matches, alike, strict=True) if j < threshold)
    return len(near), len(near) - near.count(None), wrong, len(close), len(close) - close.count(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["signatures", "screening", "reload", "recall"])
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000], help="records screened, reloaded")
    parser.add_argument("--plain-counts", type=int, nargs="+", default=[10_000], help="of them, those for the loop too")
    parser.add_argument("--pairs", type=int, default=5_000, help="planted pairs for each threshold and language")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many is shown")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        match options.what[0]:
            case "screening":
                result = screen_in_child(options.child, options.counts[0])
            case way:
                result = reload_in_child(options.child, {"read": read_file, "mapped": mapped_file}[way])
        sys.stdout.buffer.write(orjson.dumps(result))
        return
    for what in options.what:
        match what:
            case "signatures":
                compare_signatures(4_000, options.rounds)
            case "screening":
                compare_screening(options.counts, options.plain_counts, options.rounds)
            case "reload":
                measure_reload(options.counts)
            case "recall":
                measure_recall(options.pairs)
            case _:
                parser.error(f"{what}: choose of signatures, screening, reload, recall")


if __name__ == "__main__":
    main()
