"""Floating-point operations, against a count by hand and TensorFlow's own."""

import keras
import keras_tuner as kt
import pytest
from keras import layers

from search_spaces import DataSpec, sequential
from tuner.training.flops import count_flops

pytestmark = pytest.mark.training

SHAPE = (16, 16, 3)


class Doubled(layers.Layer):  # type: ignore[misc]
    """A layer of one's own with layers inside; its shape is known without calling them."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(4)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs) + self.inner(inputs)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 4)


def model_of(*parts):
    return keras.Sequential([keras.Input(SHAPE), *parts])


def by_tensorflow(model):
    """What TensorFlow's profiler counts in the graph of one forward pass."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda images: model(images, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *SHAPE), "float32"))
    graph = convert_variables_to_constants_v2(concrete).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    return tf.compat.v1.profiler.profile(graph, options=options.with_empty_output().build()).total_float_ops


def reference_space():
    return sequential.build(kt.HyperParameters(), DataSpec(SHAPE, 2))


def convolutions():
    return model_of(
        layers.Conv2D(32, 3, padding="same"),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.SeparableConv2D(48, 3),
    )


def nested():
    return model_of(convolutions(), layers.Flatten(), layers.Dense(100), Doubled())


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's profiler")
@pytest.mark.parametrize("make", [reference_space, convolutions, nested])
def test_the_count_is_that_of_tensorflow_within_a_few_percent(make):
    model = make()
    assert count_flops(model, SHAPE) == pytest.approx(by_tensorflow(model), rel=0.04)


def test_a_multiply_add_counts_as_two():
    assert count_flops(model_of(layers.Flatten(), layers.Dense(5)), SHAPE) == 2 * 16 * 16 * 3 * 5


def test_a_grouped_convolution_sees_the_channels_of_its_group():
    model = model_of(layers.Conv2D(6, 3, groups=3))
    assert count_flops(model, SHAPE) == 2 * 14 * 14 * (3 * 3 * 1 * 6)


def test_a_transposed_convolution_spreads_each_input_pixel():
    model = model_of(layers.Conv2DTranspose(8, 2, strides=2))
    assert count_flops(model, SHAPE) == 2 * 16 * 16 * (2 * 2 * 3 * 8)


def test_attention_is_its_projections_and_the_products_of_all_pairs():
    """TensorFlow's profiler knows no einsum."""
    inputs = keras.Input(SHAPE)
    tokens = layers.Reshape((16, 48))(inputs)
    value_dim = 8 if keras.config.backend() == "jax" else 6  # JAX knows no values of another width
    heads = layers.MultiHeadAttention(num_heads=4, key_dim=8, value_dim=value_dim)
    model = keras.Model(inputs, heads(query=tokens, value=tokens))
    projections = 16 * 48 * 4 * (8 + 8 + value_dim + value_dim)
    pairs = 16 * 16 * 4 * (8 + value_dim)
    assert count_flops(model, SHAPE) == 2 * (projections + pairs)


def test_a_layer_used_twice_counts_twice():
    assert count_flops(model_of(layers.Flatten(), Doubled()), SHAPE) == 2 * 2 * 16 * 16 * 3 * 4


def test_a_model_inside_a_model_is_counted():
    inner = model_of(layers.Conv2D(8, 3))
    assert count_flops(model_of(inner), SHAPE) == count_flops(inner, SHAPE) == 2 * 14 * 14 * 27 * 8


def test_channels_may_come_first():
    model = keras.Sequential([keras.Input((3, 16, 16)), layers.Conv2D(8, 3, data_format="channels_first")])
    assert count_flops(model, (3, 16, 16)) == 2 * 14 * 14 * 27 * 8


def test_a_model_without_input_shape_is_counted():
    model = keras.Sequential([layers.Flatten(), layers.Dense(5)])
    model.build((None, *SHAPE))
    assert count_flops(model, SHAPE) == 2 * 16 * 16 * 3 * 5


def test_counting_leaves_the_layers_as_they_were():
    before = keras.Layer.__call__
    count_flops(model_of(layers.Flatten()), SHAPE)
    assert keras.Layer.__call__ is before
