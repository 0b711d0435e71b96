"""Hyperparameter search for image classifiers, built on Keras Tuner."""

__version__ = "0.1.0"
