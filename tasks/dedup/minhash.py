"""MinHash signatures of a whole batch, equal to datasketch's to the bit."""

import functools

import numpy as np

BLOCK_VALUES = 1 << 16
"""Shingles that one pass permutes: 256 KB, so that they and what becomes of them stay in the second-level cache."""


def signatures(values: np.ndarray, offsets: np.ndarray, *, num_perm: int = 128, seed: int = 1) -> np.ndarray:
    """MinHash signatures of ragged sets of 32-bit hash values.

    Args:
        values: uint32, the sets one after the other; repeats change nothing.
        offsets: int64, one more than there are sets; set i is `values[offsets[i]:offsets[i + 1]]`.
        num_perm: Values in a signature.
        seed: Of the permutations.

    Returns:
        uint32, shape (sets, num_perm): what `datasketch.MinHash(num_perm, seed, hashfunc=int)` holds after `update`
        with every value (its scheme "affine32": a * fmix32(value) + b modulo 2^32). An empty set has the all-ones row.

    Source: Broder 1997, "On the resemblance and containment of documents"; datasketch 2.0, minhash.py.
    """
    multipliers, summands = _permutations(num_perm, seed)
    mixed = _mix32(values)
    found = np.full((num_perm, len(offsets) - 1), 0xFFFFFFFF, np.uint32)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    first = 0
    while first < len(filled):
        start = offsets[filled[first]]
        last = max(first + 1, int(np.searchsorted(offsets[filled + 1], start + BLOCK_VALUES, "right")))
        rows = filled[first:last]
        block = mixed[start : offsets[rows[-1] + 1]]
        begins = offsets[rows] - start
        permuted = np.empty_like(block)  # once a block: the memory of each permutation would be cleared anew
        for p in range(num_perm):
            np.multiply(block, multipliers[p], out=permuted)
            permuted += summands[p]
            found[p, rows] = np.minimum.reduceat(permuted, begins)
        first = last
    return np.ascontiguousarray(found.T)


def band_keys(signature: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """One 32-bit key for each band of each signature.

    Returns:
        uint32, shape (signatures, bands). Sets whose signatures agree in a whole band share that band's key.
    """
    banded = signature[:, : bands * rows].reshape(-1, bands, rows)
    keys = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64) * _ODD, banded.shape[:2]).copy()
    for row in range(rows):
        keys = (keys ^ banded[:, :, row]) * _ODD
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)


def sketches(signature: np.ndarray) -> np.ndarray:
    """The lowest bit of every value of each signature: uint8, shape (signatures, ceil(num_perm / 64) * 8)."""
    bits = np.packbits(signature.astype(np.uint8) & np.uint8(1), axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8)))


_ODD = np.uint64(0x9E3779B97F4A7C15)


@functools.cache
def _permutations(num_perm: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    # Imported at the first signature, which is after a run's first calls: it brings SciPy along, 1.5 s here.
    from datasketch import MinHash  # noqa: PLC0415

    pairs = np.asarray(MinHash(num_perm=num_perm, seed=seed, scheme="affine32").permutations)
    return pairs[0], pairs[1]


def _mix32(values: np.ndarray) -> np.ndarray:
    """The 32-bit finaliser of MurmurHash3, which datasketch's scheme applies before it permutes."""
    values = values ^ (values >> np.uint32(16))
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values
