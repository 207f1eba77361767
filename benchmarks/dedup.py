"""Records a second and memory of near-duplicate screening, ours beside a plain loop over datasketch, in the same run.

    python benchmarks/dedup.py [--counts 10000 100000] [--plain-counts 10000]

Records are texts of about 500 characters, English and Chinese in turn; one in ten is another one with a twentieth of
its words replaced (Jaccard above 0.8). The loop is datasketch's own example: word pairs (character pairs in Chinese),
`MinHash.update_batch`, `MinHashLSH(threshold=0.7)`, `query`, and `insert` where nothing was found. Every measurement
runs in a process of its own, by turns; memory is the peak beyond what the texts themselves take. On a machine that
others use too, look at the CPU seconds.
"""

import argparse
import itertools
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from datasketch import MinHash, MinHashLSH

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.views import View

EVERY = 10
"""One record in so many is a near-duplicate of an original before it."""


def texts_of(count: int) -> list[str]:
    rng = random.Random(0)
    letters = "abcdefghijklmnoprstuvwy"
    english = ["".join(rng.choices(letters, k=rng.randrange(2, 9))) for _ in range(20_000)]
    chinese = [chr(0x4E00 + rng.randrange(5000)) + chr(0x4E00 + rng.randrange(5000)) for _ in range(20_000)]
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
            originals.append((words, joint))
        texts.append(joint.join(words))
    return texts


def ours(texts: list[str]) -> int:
    index = NearDuplicateIndex(DedupSettings(), (View("record", (Field(name="text"),), least_units=0),))
    matches = index.screen([{"text": text} for text in texts], [str(n) for n in range(len(texts))])
    return len(matches) - matches.count(None)


def plain(texts: list[str]) -> int:
    lsh, found = MinHashLSH(threshold=0.7, num_perm=128), 0
    for n, text in enumerate(texts):
        units = text.split(" ") if " " in text else list(text)
        signature = MinHash(num_perm=128)
        signature.update_batch({" ".join(pair).encode() for pair in itertools.pairwise(units)})
        if lsh.query(signature):
            found += 1
        else:
            lsh.insert(n, signature)
    return found


CONTESTANTS: dict[str, Callable[[list[str]], int]] = {"datasketch, a plain loop": plain, "NearDuplicateIndex": ours}


def measured(name: str, count: int) -> dict[str, float]:
    """Runs one contestant in a process of its own."""
    command = [sys.executable, __file__, "--child", name, "--counts", str(count)]
    return orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def child(name: str, count: int) -> None:
    texts = texts_of(count)
    CONTESTANTS[name](texts[:200])  # what is loaded and compiled once
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = pages * os.sysconf("SC_PAGE_SIZE")
    start, worked = time.perf_counter(), time.process_time()
    found = CONTESTANTS[name](texts)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.buffer.write(
        orjson.dumps({"seconds": seconds, "cpu": worked, "found": found, "bytes": max(0, peak - before)})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--counts", type=int, nargs="+", default=[10_000, 100_000], help="records screened by the index"
    )
    parser.add_argument("--plain-counts", type=int, nargs="+", default=[10_000], help="of them, those for the loop too")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many is shown")
    parser.add_argument("--child", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.counts[0])
        return
    for count in options.counts:
        names = [name for name in CONTESTANTS if name != "datasketch, a plain loop" or count in options.plain_counts]
        best: dict[str, dict[str, float]] = {}
        for _ in range(options.rounds):
            for name in names:
                result = measured(name, count)
                best[name] = min(best.get(name, result), result, key=lambda r: r["seconds"])
        planted = len(range(EVERY, count, EVERY))
        print(f"{count:,} records of 500 characters, {planted:,} near-duplicates planted")
        base = best[names[0]]["seconds"]
        for name, result in best.items():
            ratio = f"{base / result['seconds']:6.1f} x the first" if len(best) > 1 else ""
            print(
                f"  {name:25} {count / result['seconds']:>8,.0f} records/s {count / result['cpu']:>8,.0f} a CPU second "
                f"{result['bytes'] / 2**20:>6,.0f} MB   {result['bytes'] / count:>7,.0f} bytes a record   "
                f"{result['found']:,} found {ratio}"
            )


if __name__ == "__main__":
    main()
