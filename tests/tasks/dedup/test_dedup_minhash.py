import random

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.dedup import buckets as tables
from datasynth.tasks.dedup.buckets import Buckets, candidates_within
from datasynth.tasks.dedup.minhash import BLOCK_VALUES, band_keys, signatures, sketches
from datasynth.tasks.dedup.settings import DedupSettings

SETS = st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=12), max_size=8)


def ragged(sets) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([value for one in sets for value in one], np.uint32)
    return values, np.cumsum([0, *map(len, sets)])


@given(SETS, st.sampled_from([16, 100, 128]), st.integers(0, 3))
def test_signatures_equal_those_of_datasketch(sets, num_perm, seed):
    ours = signatures(*ragged(sets), num_perm=num_perm, seed=seed)
    assert ours.dtype == np.uint32
    assert ours.shape == (len(sets), num_perm)
    for row, values in zip(ours, sets, strict=True):
        theirs = MinHash(num_perm=num_perm, seed=seed, hashfunc=int)
        theirs.update_batch(values)
        assert np.array_equal(row, theirs.hashvalues)


def test_sets_larger_than_a_block_are_signed_whole():
    rng = np.random.default_rng(0)
    sets = [rng.integers(0, 2**32, n).tolist() for n in (5, BLOCK_VALUES + 7, 0, 3, BLOCK_VALUES, 1)]
    for row, values in zip(signatures(*ragged(sets)), sets, strict=True):
        theirs = MinHash(hashfunc=int)
        theirs.update_batch(values)
        assert np.array_equal(row, theirs.hashvalues)


def test_datasketch_takes_our_signatures_as_its_own():
    values, offsets = ragged([list(range(100)), list(range(20, 120))])
    ours = [MinHash(hashvalues=row, scheme="affine32") for row in signatures(values, offsets)]
    assert ours[0].jaccard(ours[1]) == pytest.approx(80 / 120, abs=0.12)


def test_candidates_are_those_of_datasketch_with_the_same_bands():
    rng = random.Random(3)
    base = [rng.sample(range(10**6), 60) for _ in range(40)]
    sets = [one[: rng.randrange(20, 60)] + rng.sample(range(10**6), 15) for one in base for _ in range(5)]
    signed = signatures(*ragged(sets))
    bands, rows = DedupSettings().bands
    lsh = MinHashLSH(num_perm=128, params=(bands, rows))
    hashes = [MinHash(hashvalues=row, scheme="affine32") for row in signed]
    for i, one in enumerate(hashes):
        lsh.insert(i, one)
    theirs = {(i, j) for i, one in enumerate(hashes) for j in lsh.query(one)}
    table = Buckets()
    keys = band_keys(signed, bands, rows)
    table.insert(keys[:77], np.arange(77))
    table.insert(keys[77:], np.arange(77, len(sets)))
    assert pairs(table.candidates(keys)) == theirs


def pairs(found) -> set[tuple[int, int]]:
    listed = [pair for rows, records in found for pair in zip(rows.tolist(), records.tolist(), strict=True)]
    assert listed == sorted(set(listed))
    return set(listed)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(2**32 - 4, 2**32 - 1)), max_size=6), max_size=12),
    st.lists(st.tuples(st.integers(0, 6), st.integers(2**32 - 4, 2**32 - 1)), max_size=6),
    st.sampled_from([1, 3, 1 << 22]),
)
def test_a_table_finds_every_record_that_shares_a_key(batches, queries, at_once):
    usual, tables.PAIRS_AT_ONCE = tables.PAIRS_AT_ONCE, at_once
    try:
        table, held = Buckets(), []
        for batch in batches:
            table.insert(np.array(batch, np.uint32).reshape(-1, 2), np.arange(len(held), len(held) + len(batch)))
            held += batch
        found = pairs(table.candidates(np.array(queries, np.uint32).reshape(-1, 2)))
        within = pairs(candidates_within(np.array(queries, np.uint32).reshape(-1, 2)))
    finally:
        tables.PAIRS_AT_ONCE = usual
    assert found == {(i, j) for i, q in enumerate(queries) for j, h in enumerate(held) if set(q) & set(h)}
    assert within == {(i, j) for i, a in enumerate(queries) for j, b in enumerate(queries[:i]) if set(a) & set(b)}


@pytest.mark.parametrize("num_perm", [16, 100, 128])
def test_a_sketch_is_the_lowest_bit_of_every_value(num_perm):
    signed = np.random.default_rng(1).integers(0, 2**32, (5, num_perm), dtype=np.uint32)
    bits = np.unpackbits(sketches(signed), axis=1)
    assert np.array_equal(bits[:, :num_perm], signed & 1)
    assert sketches(signed).shape[1] % 8 == 0


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99])
def test_bands_reach_the_recall_asked_for_at_the_threshold(threshold):
    settings = DedupSettings(threshold=threshold)
    bands, rows = settings.bands
    assert bands * rows <= settings.num_perm
    assert 1 - (1 - threshold**rows) ** bands >= settings.recall


def test_a_threshold_of_one_needs_one_band():
    assert DedupSettings(threshold=1.0).bands == (1, 128)
