import keras
import pytest

from tuner.training.compute import choose_precision, use_precision
from tuner.training.device import describe_device

pytestmark = pytest.mark.training


@pytest.mark.parametrize("wanted", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_what_is_asked_for_is_taken(wanted):
    assert choose_precision(wanted) == wanted


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((), "float32"),
        ((6, 1), "float32"),
        ((7, 0), "mixed_float16"),
        ((7, 5), "mixed_float16"),
        ((8, 0), "mixed_bfloat16"),
        ((9, 0), "mixed_bfloat16"),
    ],
)
def test_auto_takes_what_the_gpu_has_units_for(monkeypatch, capability, precision):
    monkeypatch.setattr("tuner.training.compute._gpu_capability", lambda: capability)
    assert choose_precision("auto") == precision


def test_auto_is_float32_without_a_gpu():
    if describe_device().startswith("GPU"):
        pytest.skip("there is a GPU")
    assert choose_precision("auto") == "float32"


def test_models_are_built_in_the_precision_chosen():
    try:
        use_precision("mixed_bfloat16")
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    finally:
        use_precision("float32")
    assert keras.layers.Dense(1).compute_dtype == "float32"
