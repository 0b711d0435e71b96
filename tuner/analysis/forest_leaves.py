"""The leaves of a forest as boxes, and the variance of what its trees predict, in all and by one feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor


@dataclass(frozen=True)
class Leaves:
    """All leaves of a forest, each of which is a box of features.

    Boxes are in units of the whole box that the features span, so that their volumes add up to 1 in each
    tree. `low` and `high` have the shape (leaves, features), the others (leaves,).
    """

    trees: int
    tree: np.ndarray
    """The number of the tree that a leaf belongs to."""
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def variances(self) -> np.ndarray:
        """Return the variance of the prediction of each tree over the whole box, of shape (trees,)."""
        volume = np.prod(self.high - self.low, axis=1)
        mean = np.bincount(self.tree, volume * self.value, self.trees)
        return np.bincount(self.tree, volume * (self.value - mean[self.tree]) ** 2, self.trees)

    def marginal_variances(self, feature: int) -> np.ndarray:
        """Return the variance of each tree's mean over all other features, of shape (trees,).

        That mean is constant between two neighbouring edges of boxes. There it is the sum of the values of
        all boxes that reach so far, weighted by their extent in the other features: each box adds its part
        where it begins and takes it back where it ends.
        """
        low, high = self.low[:, feature], self.high[:, feature]
        edges = np.union1d(low, high)
        others = np.prod(np.delete(self.high - self.low, feature, axis=1), axis=1)
        row, shape = self.tree * len(edges), (self.trees, len(edges))
        changes = [
            np.bincount(row + np.searchsorted(edges, side), others * self.value, self.trees * len(edges))
            for side in (low, high)
        ]
        marginal = np.cumsum((changes[0] - changes[1]).reshape(shape), axis=1)[:, :-1]
        widths = np.diff(edges)
        mean = marginal @ widths
        variances: np.ndarray = ((marginal - mean[:, None]) ** 2) @ widths
        return variances


def forest_leaves(forest: RandomForestRegressor, low: np.ndarray, high: np.ndarray) -> Leaves:
    """Return the leaves of a fitted forest.

    Args:
        low: Least value of each feature; no box reaches beyond it.
        high: Greatest value of each feature, above `low`.
    """
    trees: list[Any] = [each.tree_ for each in forest.estimators_]
    counts = [tree.node_count for tree in trees]
    first = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    feature = np.concatenate([tree.feature for tree in trees])
    left = first + np.concatenate([tree.children_left for tree in trees])
    right = first + np.concatenate([tree.children_right for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    lows, highs = np.zeros((len(feature), len(low))), np.ones((len(feature), len(low)))
    inner = np.unique(first)
    # From the roots down, one level of all trees at a time.
    while len(inner := inner[feature[inner] >= 0]):
        below, above, split = left[inner], right[inner], feature[inner]
        lows[below] = lows[above] = lows[inner]
        highs[below] = highs[above] = highs[inner]
        highs[below, split] = lows[above, split] = (threshold[inner] - low[split]) / (high - low)[split]
        inner = np.concatenate([below, above])
    is_leaf = feature < 0
    return Leaves(
        len(trees),
        np.repeat(np.arange(len(trees)), counts)[is_leaf],
        np.concatenate([tree.value[:, 0, 0] for tree in trees])[is_leaf],
        lows[is_leaf],
        highs[is_leaf],
    )
