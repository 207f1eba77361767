"""The Vendi score: how many different records a set of embeddings amounts to."""

import numpy as np


def vendi_score(embeddings: np.ndarray) -> float:
    """The effective number of different rows, 1 (all alike) to their number (all orthogonal); 0 without a row.

    The exponential of the entropy of the eigenvalues of the rows' cosine similarities over their number.

    Args:
        embeddings: Shape (records, dimensions), of any length; a row of zeros is unlike every other.

    Source: Friedman and Dieng 2023, "The Vendi Score" (arXiv:2210.02410), definition 3.1.
    """
    records = len(embeddings)
    if not records:
        return 0.0
    rows = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    blank = int((lengths == 0).sum())
    rows = rows / np.where(lengths == 0, 1, lengths)
    # Both products have the same eigenvalues above 0: the smaller one is taken.
    product = rows @ rows.T if records <= rows.shape[1] else rows.T @ rows
    shares = np.append(np.linalg.eigvalsh(product), np.ones(blank)) / records
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))
