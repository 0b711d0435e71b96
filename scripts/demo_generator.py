"""The generative model behind the built-in demo set: flow matching with a small U-Net, in Keras.

The model learns the velocity of the straight path from noise to a picture (Lipman et al. 2023, "Flow
Matching for Generative Modeling", arXiv:2210.02747; Liu et al. 2023, "Flow Straight and Fast",
arXiv:2209.03003). Times are drawn from a logit-normal distribution (Esser et al. 2024, "Scaling Rectified
Flow Transformers", arXiv:2403.03206). Samples come from an exponential moving average of the
weights (Ho et al. 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239).
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

SIDE = 32
"""Height and width of a picture, in pixels."""

GRID_STEPS = 12
"""The sampler's small steps are this fraction of the path."""

SMALL_STEPS = 6
"""Small steps before the long one. With more of them the pictures get harder to tell from photographs."""

Pictures = npt.NDArray[np.uint8]
"""A batch of RGB pictures: count x 32 x 32 x 3."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how the model trains.

    Attributes:
        steps: Optimiser steps.
        batch: Pictures a step.
        learning_rate: Peak learning rate; it warms up over 200 steps and decays to zero on a cosine.
        ema: Decay of the moving average of the weights.
    """

    steps: int = 6000
    batch: int = 32
    learning_rate: float = 1.2e-3
    ema: float = 0.998


def _residual_block(x: Any, time_code: Any, channels: int) -> Any:
    """Two 3x3 convolutions with group normalisation, the time added in between (Ho et al. 2020)."""
    shortcut = x if x.shape[-1] == channels else layers.Conv2D(channels, 1)(x)
    x = layers.Activation("silu")(layers.GroupNormalization(8)(x))
    x = layers.Conv2D(channels, 3, padding="same")(x)
    shift = layers.Reshape((1, 1, channels))(layers.Dense(channels)(time_code))
    x = layers.Activation("silu")(layers.GroupNormalization(8)(layers.Add()([x, shift])))
    # Starting each block as the identity makes the first steps stable.
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros")(x)
    return layers.Add()([x, shortcut])


def _attention(x: Any, channels: int) -> Any:
    """Self-attention over the positions of the coarsest map, so far-apart parts agree."""
    side = x.shape[1]
    flat = layers.Reshape((side * side, channels))(layers.GroupNormalization(8)(x))
    flat = layers.MultiHeadAttention(4, channels // 4)(flat, flat)
    return layers.Add()([x, layers.Reshape((side, side, channels))(flat)])


def build_unet(widths: tuple[int, int] = (48, 96)) -> keras.Model:
    """Builds the velocity network.

    All blocks work on 2x2 patches of pixels and coarser: full resolution would cost half of the time and buys
    little at this size.

    Args:
        widths: Channels at 16x16 and at 8x8.

    Returns:
        A model from (noisy pictures in [-1, 1], Fourier features of the time) to velocities.
    """
    fine, coarse = widths
    picture = keras.Input((SIDE, SIDE, 3))
    features = keras.Input((32,))
    code = layers.Dense(128, activation="silu")(layers.Dense(128, activation="silu")(features))
    stem = layers.Conv2D(fine, 4, strides=2, padding="same")(picture)
    skip16 = _residual_block(stem, code, fine)
    skip8 = _residual_block(layers.Conv2D(coarse, 2, strides=2)(skip16), code, coarse)
    x = _residual_block(_attention(skip8, coarse), code, coarse)
    x = _residual_block(layers.Concatenate()([x, skip8]), code, coarse)
    x = layers.UpSampling2D()(layers.Conv2D(fine, 1)(x))
    x = _residual_block(layers.Concatenate()([x, skip16]), code, fine)
    x = layers.Activation("silu")(layers.GroupNormalization(8)(x))
    x = layers.Concatenate()([x, stem])
    velocity = layers.Conv2DTranspose(3, 4, strides=2, padding="same", kernel_initializer="zeros")(x)
    return keras.Model([picture, features], velocity)


def _time_features(times: Any) -> Any:
    """Sines and cosines of the times (shape: batch) at sixteen frequencies."""
    angles = times[:, None] * tf.exp(tf.linspace(0.0, 5.0, 16))[None, :]
    return tf.concat([tf.sin(angles), tf.cos(angles)], axis=1)


class FlowModel:
    """A velocity network with its training loop and its sampler."""

    def __init__(self, seed: int, plan: TrainingPlan | None = None) -> None:
        """Builds the networks.

        Args:
            seed: Seeds the weights, the training noise and the samples.
            plan: How to train.
        """
        self.plan = plan or TrainingPlan()
        keras.utils.set_random_seed(seed)
        self._net = build_unet()
        self._ema = build_unet()
        self._ema.set_weights(self._net.get_weights())
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, self.plan.steps, warmup_target=self.plan.learning_rate, warmup_steps=200
        )
        self._optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0)
        self._optimizer.build(self._net.trainable_variables)
        self._step = tf.function(self._train_step)
        self._velocity = tf.function(self._ema_velocity)

    def _train_step(self, pictures: Any) -> Any:
        """One optimiser step on a batch of pictures in [-1, 1]; returns the loss."""
        size = tf.shape(pictures)[0]
        times = tf.sigmoid(tf.random.normal((size,)))
        noise = tf.random.normal(tf.shape(pictures))
        t = times[:, None, None, None]
        with tf.GradientTape() as tape:
            guess = self._net([(1.0 - t) * noise + t * pictures, _time_features(times)], training=True)
            loss = tf.reduce_mean(tf.square(guess - (pictures - noise)))
        weights = self._net.trainable_variables
        self._optimizer.apply(tape.gradient(loss, weights), weights)
        for average, weight in zip(self._ema.trainable_variables, weights, strict=True):
            average.assign(self.plan.ema * average + (1.0 - self.plan.ema) * weight)
        return loss

    def _ema_velocity(self, x: Any, time_now: Any) -> Any:
        """The averaged network's velocity at one time for the whole batch."""
        return self._ema([x, _time_features(tf.fill((tf.shape(x)[0],), time_now))], training=False)

    def fit_or_load(self, pictures: Pictures, rng: np.random.Generator, weights: Path | None) -> None:
        """Trains on pictures, or reads what an earlier run kept.

        Args:
            pictures: The training crops.
            rng: Draws the batches.
            weights: Where to keep the averaged weights (`.weights.h5`); if the file is there, it is read.
        """
        if weights is not None and weights.exists():
            self._ema.load_weights(str(weights))
            return
        self.fit(pictures, rng)
        if weights is not None:
            self._ema.save_weights(str(weights))

    def fit(self, pictures: Pictures, rng: np.random.Generator) -> None:
        """Trains on pictures.

        Args:
            pictures: The training crops.
            rng: Draws the batches.
        """
        started, losses = time.monotonic(), []
        for step in range(1, self.plan.steps + 1):
            batch = pictures[rng.integers(0, len(pictures), self.plan.batch)]
            scaled = tf.constant(batch.astype(np.float32) / 127.5 - 1.0)
            losses.append(float(self._step(scaled)))
            if step % 250 == 0:
                mean, elapsed = np.mean(losses[-250:]), time.monotonic() - started
                print(f"  step {step}/{self.plan.steps}  loss {mean:.4f}  {elapsed:.0f} s", flush=True)

    def sample(self, count: int, rng: np.random.Generator, batch: int = 200) -> Pictures:
        """Draws independent pictures.

        Args:
            count: How many.
            rng: Draws the starting noise.
            batch: Pictures drawn together.

        Returns:
            The pictures.
        """
        done: list[Pictures] = []
        for start in range(0, count, batch):
            noise = rng.standard_normal((min(batch, count - start), SIDE, SIDE, 3)).astype(np.float32)
            done.append(self._integrate(tf.constant(noise)))
            if start % (batch * 5) == 0:
                print(f"  drew {start + len(noise)}/{count}", flush=True)
        return np.concatenate(done)

    def _integrate(self, x: Any) -> Pictures:
        """Euler's method from noise (time 0) to pictures (time 1): small steps, then one long step.

        The long step ends at the mean of what is still possible, so fine detail stays soft, as it does with
        any sampler of few steps. Colours and shapes are settled by then.
        """
        times = np.linspace(0.0, 1.0, GRID_STEPS + 1, dtype=np.float32)[: SMALL_STEPS + 1]
        for now, then in itertools.pairwise([*times, np.float32(1.0)]):
            x = x + (then - now) * self._velocity(x, tf.constant(now))
        scaled = np.clip((x.numpy() + 1.0) * 127.5, 0.0, 255.0)
        return np.asarray(np.rint(scaled), dtype=np.uint8)
