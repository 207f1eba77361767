"""MinHash signatures of a whole batch, equal to datasketch's to the bit."""

import functools

import numpy as np

BLOCK_VALUES = 1 << 17
"""Shingles that one pass permutes: 512 KB, so that they stay in the second-level cache through all permutations."""


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
    steps = _steps(num_perm, seed)
    mixed = _mix32(values)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    bounds = np.append(offsets[filled], offsets[-1])
    found = np.empty((num_perm, len(filled)), np.uint32)
    first = 0
    while first < len(filled):
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + BLOCK_VALUES, "right")) - 1)
        begins = bounds[first:last] - bounds[first]
        permuted = mixed[bounds[first] : bounds[last]]
        for (multiplier, summand), lowest in zip(steps, found[:, first:last], strict=True):
            np.multiply(permuted, multiplier, out=permuted)
            np.add(permuted, summand, out=permuted)
            np.minimum.reduceat(permuted, begins, out=lowest)
        first = last
    signed = np.full((len(offsets) - 1, num_perm), 0xFFFFFFFF, np.uint32)
    signed[filled] = found.T
    return signed


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
def _steps(num_perm: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Multiplier and summand that take the values of each permutation to those of the next, the first from the values.

    So each works on what the one before left behind, in place: half the memory, which is what the time depends on. If
    y = a x + b and z = c x + d, then z = (c / a) y + d - (c / a) b, modulo 2^32, where a has an inverse: datasketch's
    are odd. They are arrays of no dimension, since NumPy is slow to convert its own scalars.
    """
    # Drawn as datasketch draws them. To ask it would bring SciPy along: a second and 50 MB in each process.
    drawn = np.random.RandomState(seed)
    multipliers = drawn.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    summands = drawn.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    steps = []
    before, shift = 1, 0
    for multiplier, summand in zip(multipliers.tolist(), summands.tolist(), strict=True):
        step = multiplier * pow(before, -1, 1 << 32) % (1 << 32)
        steps.append((np.array(step, np.uint32), np.array((summand - step * shift) % (1 << 32), np.uint32)))
        before, shift = multiplier, summand
    return steps


def _mix32(values: np.ndarray) -> np.ndarray:
    """The 32-bit finaliser of MurmurHash3, which datasketch's scheme applies before it permutes."""
    values = values ^ (values >> np.uint32(16))
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values
