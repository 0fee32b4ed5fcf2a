"""Which voiceprints are of one voice. Pure arithmetic: pyannote's way with "community-1".

Voiceprints that lie close together are joined step by step (centroid linkage); a variational Bayes mixture ("VBx")
then goes over what that made, and takes away the voices that explain nothing of their own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memweb.engines.voiceprints import Doubles, Spread

Labels = npt.NDArray[np.intp]

JOINED = 0.6
"""Groups of voiceprints nearer than this are joined; the voiceprints have a length of 1."""
AT_ONCE = 400
"""So many voiceprints are joined at once: the work grows with their cube."""
MOST_VOICES = 64
ROUNDS = 20
_FA, _FB = 0.085, 0.8
"""What voiceprints weigh, and how dear a voice is. pyannote's 0.07 is for voiceprints that overlap much more."""
_SMOOTHING = 7.0
_ENOUGH = 1e-4
_NOBODY = 1e-7


def centroids(prints: Doubles, spread: Spread) -> Doubles:
    """The voices: (voices, 256), of at least two voiceprints of enough speech, (prints, 256)."""
    shares, weights = _mixture(_joined(unit(prints)), *_projected(prints, spread))
    kept = shares[:, weights > _NOBODY]
    found: Doubles = kept.T @ prints / kept.sum(axis=0)[:, None]
    return found


def likeness(prints: Doubles, voices: Doubles) -> Doubles:
    """How like each voiceprint is to each voice: the cosine, (prints, voices)."""
    found: Doubles = unit(prints) @ unit(voices).T
    return found


def unit(rows: Doubles) -> Doubles:
    """The same directions, each of length 1."""
    found: Doubles = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return found


def _joined(prints: Doubles) -> Labels:
    """A group for each voiceprint. Joined in blocks, then the groups of all blocks: bounded memory, however many."""
    labels = np.zeros(len(prints), np.intp)
    means: list[Doubles] = []
    sizes: list[float] = []
    for start in range(0, len(prints), AT_ONCE):
        block = prints[start : start + AT_ONCE]
        found = linked(block, np.ones(len(block)), JOINED)
        labels[start : start + AT_ONCE] = found + len(means)
        means += [block[found == group].mean(axis=0) for group in range(found.max() + 1)]
        sizes += list(np.bincount(found))
    if len(prints) > AT_ONCE:
        labels = linked(np.array(means), np.array(sizes), JOINED)[labels]
    return _fewer(prints, labels)


def linked(points: Doubles, sizes: Doubles, nearer: float) -> Labels:
    """Join the two nearest groups, by their centroids, while any are nearer than this. A group for each point.

    Points, (points, 256), weigh as much as their sizes.
    """
    points, sizes = points.copy(), sizes.astype(np.float64)
    labels = np.arange(len(points))
    apart = _distances(points)
    while True:
        one, other = np.unravel_index(np.argmin(apart), apart.shape)
        if apart[one, other] > nearer:
            found: Labels = np.unique(labels, return_inverse=True)[1]
            return found
        points[one] = (points[one] * sizes[one] + points[other] * sizes[other]) / (sizes[one] + sizes[other])
        sizes[one] += sizes[other]
        labels[labels == other] = one
        apart[other] = apart[:, other] = np.inf
        gone = np.isinf(apart[one])
        row = np.linalg.norm(points - points[one], axis=1)
        row[gone] = np.inf
        apart[one] = apart[:, one] = row


def _distances(points: Doubles) -> Doubles:
    squares = np.square(points).sum(axis=1)
    found: Doubles = np.sqrt(np.maximum(0.0, squares[:, None] + squares - 2 * points @ points.T))
    np.fill_diagonal(found, np.inf)
    return found


def _fewer(prints: Doubles, labels: Labels) -> Labels:
    """The same with MOST_VOICES groups at most: who is in a small one goes to the nearest of the large."""
    sizes = np.bincount(labels)
    if len(sizes) <= MOST_VOICES:
        return labels
    kept = np.argsort(-sizes, kind="stable")[:MOST_VOICES]
    means = np.array([prints[labels == group].mean(axis=0) for group in kept])
    found: Labels = np.argmax(likeness(prints, means), axis=1)
    return found


def _projected(prints: Doubles, spread: Spread) -> tuple[Doubles, Doubles]:
    """Voiceprints where voices differ most and one voice varies by 1 in each direction; and how much voices vary."""
    lowered = np.sqrt(spread.lda.shape[0]) * unit(prints - spread.mean1) @ spread.lda
    lowered = np.sqrt(spread.lda.shape[1]) * unit(lowered - spread.mean2)
    within = np.linalg.inv(spread.tr.T @ spread.tr)
    between = np.linalg.inv((spread.tr.T / spread.psi) @ spread.tr)
    # The generalized eigenvectors of both, by way of the square root of `within`.
    root = np.linalg.inv(np.linalg.cholesky(within))
    variance, vectors = np.linalg.eigh(root @ between @ root.T)
    directions = (root.T @ vectors)[:, ::-1]
    return (lowered - spread.mu) @ directions, variance[::-1]


def _mixture(labels: Labels, points: Doubles, variance: Doubles) -> tuple[Doubles, Doubles]:
    """The share of each voice in each point, and the weight of each voice."""
    voices = int(labels.max()) + 1
    shares = np.exp(_SMOOTHING * (labels[:, None] == np.arange(voices)))
    shares /= shares.sum(axis=1, keepdims=True)
    weights = np.full(voices, 1.0 / voices)
    scaled = points * np.sqrt(variance)
    alone = -0.5 * (np.square(points).sum(axis=1, keepdims=True) + points.shape[1] * np.log(2 * np.pi))
    bound = -np.inf
    for _ in range(ROUNDS):
        precision = 1.0 / (1.0 + _FA / _FB * shares.sum(axis=0)[:, None] * variance)
        means = _FA / _FB * precision * (shares.T @ scaled)
        fits = _FA * (scaled @ means.T - 0.5 * (precision + np.square(means)) @ variance + alone)
        fits += np.log(weights + 1e-8)
        most = fits.max(axis=1, keepdims=True)
        total = most + np.log(np.exp(fits - most).sum(axis=1, keepdims=True))
        shares = np.exp(fits - total)
        weights = shares.sum(axis=0) / shares.sum()
        before, bound = bound, total.sum() + 0.5 * _FB * np.sum(np.log(precision) - precision - np.square(means) + 1)
        if bound - before < _ENOUGH:
            break
    return shares, weights
