"""Bayesian optimization: a Gaussian process on the trials so far."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from threadpoolctl import threadpool_limits

from tuner.spaces.configurations import Values, active_values, key, walk
from tuner.tuning.oracles.model_based import Finished, ModelBasedOracle

# Keras Tuner's values: the noise of a score, in its variance, and how much uncertainty attracts.
ALPHA, BETA = 1e-4, 2.6
# The kernel's one length scale is the likeliest of these; in a unit cube, shorter ones see no neighbours and
# longer ones no differences. Gradients, as in Keras Tuner, may end where the likelihood is flat.
LENGTH_SCALES = np.geomspace(0.05, 20.0, 25)
# Random points looked at, and neighbours of the best ones at ever smaller distances.
RANDOM_POINTS, BEST_POINTS, NEIGHBOURS = 256, 8, 8
DISTANCES = (0.3, 0.1, 0.03)


@dataclass(frozen=True)
class _Candidate:
    """A configuration, its place in the unit cube, and the lower confidence bound there."""

    bound: float
    values: Values
    place: Any


class BayesianOracle(ModelBasedOracle):
    """Keras Tuner's Gaussian process and lower confidence bound, on configurations as they are.

    The bound is minimized over configurations not yet tried, conditions and steps applied, by a random search
    that closes in on the best. Keras Tuner follows gradients from 50 points, which takes seconds, and rounds,
    which leads back to configurations that were tried. The model needs one trial more than there are
    hyperparameters; with Hyperband it sees the scores after the most epochs that as many trials reached.

    Source: Keras Tuner 1.4, `BayesianOptimizationOracle` (kernel, alpha, beta, running trials); Hutter et al.
    2011, SMAC, section 4.3 (search); Falkner et al. 2018, BOHB, section 4 (epochs, number of trials).
    """

    def model_samples(self, seed: int) -> Iterator[Values]:
        seen = self._deepest(self.finished())
        if seen:
            sign = -1.0 if self.objective.direction == "max" else 1.0
            x = self._points(values for values, _ in seen)
            y = np.array([sign * score for _, score in seen])
            # One thread: the workers need the others, and the order of sums is always the same.
            with threadpool_limits(1), warnings.catch_warnings():
                # At a point that was tried, rounding takes the variance, 0, for less.
                warnings.filterwarnings("ignore", "Predicted variances smaller than 0", UserWarning)
                model = self._fit(x, y)
                found = self._search(model, x[np.argsort(y, kind="stable")], seed)
            yield from found

    def _deepest(self, trials: list[Finished]) -> list[tuple[Values, float]]:
        """Configurations with their scores after the most epochs that enough trials reached.

        All scores are after equally many epochs, else they are different quantities. The list is empty where
        too few trials are comparable.
        """
        enough = sum(axis.varies for axis in self.axes.values()) + 1
        measured = Counter(epochs for trial in trials for epochs in trial.scores)
        deep = [epochs for epochs, number in measured.items() if number >= enough]
        if not deep:
            return []
        return [(trial.values, trial.scores[max(deep)]) for trial in trials if max(deep) in trial.scores]

    def _fit(self, x: Any, y: Any) -> GaussianProcessRegressor:
        def process(kernel: Any, optimizer: Any) -> Any:
            return GaussianProcessRegressor(kernel, alpha=ALPHA, normalize_y=True, optimizer=optimizer)

        model = process(Matern(nu=2.5), _likeliest).fit(x, y)
        running = self.running()
        if not running:
            return model
        # Taken for somewhat worse than expected, a trial that trains keeps others away from its place.
        x_running = self._points(running)
        mean, deviation = model.predict(x_running, return_std=True)
        return process(model.kernel_, None).fit(
            np.vstack([x, x_running]), np.concatenate([y, mean + deviation])
        )

    def _search(self, model: Any, best: Any, seed: int) -> list[Values]:
        """Return untried configurations, that of the lowest confidence bound first."""
        rng = np.random.default_rng(seed)
        found: dict[str, _Candidate] = {}

        def look_at(points: Any) -> None:
            snapped = {key(values): values for values in map(self._snap, points.tolist())}
            new = {name: snapped[name] for name in snapped if name not in found and name not in self._tried}
            if new:
                places = self._points(new.values())
                mean, deviation = model.predict(places, return_std=True)
                for name, place, bound in zip(new, places, mean - BETA * deviation, strict=True):
                    found[name] = _Candidate(bound, new[name], place)

        look_at(rng.random((RANDOM_POINTS, best.shape[1])))
        look_at(_neighbours(best[:BEST_POINTS], DISTANCES[0], rng))
        for distance in DISTANCES:
            closest = [candidate.place for candidate in _ranked(found)[:BEST_POINTS]]
            if closest:
                look_at(_neighbours(np.array(closest), distance, rng))
        return [candidate.values for candidate in _ranked(found)]

    def _points(self, configurations: Iterable[Values]) -> Any:
        """Return coordinates of shape (configurations, hyperparameters); inactive ones as by default."""
        return np.array([self._point(values) for values in configurations])

    def _point(self, values: Values) -> list[float]:
        coordinates = dict(self._defaults)
        for parameter, value in active_values(self.hyperparameters, values):
            coordinates[parameter] = self.axes[parameter].coordinate(value)
        return list(coordinates.values())

    def _snap(self, point: list[float]) -> Values:
        """Return the configuration to whose part of the cube a point belongs."""
        coordinates = dict(zip(self.axes, point, strict=True))
        return walk(
            self.hyperparameters, lambda parameter: self.axes[parameter].value(coordinates[parameter])
        )

    @cached_property
    def _defaults(self) -> dict[Any, float]:
        return {parameter: axis.coordinate(parameter.default) for parameter, axis in self.axes.items()}


def _likeliest(cost: Any, start: Any, bounds: Any) -> tuple[Any, float]:  # noqa: ARG001
    """Return the logarithm of the best of LENGTH_SCALES, and the cost there; an optimizer of scikit-learn."""
    costs = [cost(np.array([theta]), eval_gradient=False) for theta in np.log(LENGTH_SCALES)]
    best = int(np.argmin(costs))
    return np.log(LENGTH_SCALES[best : best + 1]), costs[best]


def _ranked(found: dict[str, _Candidate]) -> list[_Candidate]:
    return sorted(found.values(), key=lambda candidate: candidate.bound)


def _neighbours(points: Any, distance: float, rng: np.random.Generator) -> Any:
    """Return NEIGHBOURS of each point that differ from it in about half of the coordinates."""
    repeated = np.repeat(points, NEIGHBOURS, axis=0)
    moved = rng.random(repeated.shape) < 0.5
    return np.clip(repeated + moved * rng.normal(scale=distance, size=repeated.shape), 0.0, 1.0)
