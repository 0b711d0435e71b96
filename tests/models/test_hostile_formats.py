"""Models of other formats than .keras read and write nothing but themselves."""

import numpy as np
import pytest

from tests.sources.refusals import refusal
from tuner.errors import UsageError
from tuner.models.runtimes import Runtime, read_facts

pytestmark = pytest.mark.training
WEIGHTS = np.arange(4, dtype=np.float32)


def onnx_with_external_data(path, location, in_subgraph=False):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("images", "probabilities")
    ]
    if in_subgraph:
        node = helper.make_node("Constant", [], ["probabilities"], value=tensor)
        graph = helper.make_graph([node], "graph", ends[:1], ends[1:])
    else:
        node = helper.make_node("Add", ["images", "w"], ["probabilities"])
        graph = helper.make_graph([node], "graph", ends[:1], ends[1:], [tensor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"model": '{"class_names": ["A", "B"]}'})
    path.write_bytes(model.SerializeToString())
    assert onnx
    return path


@pytest.mark.parametrize("in_subgraph", [False, True])
@pytest.mark.parametrize("kind", ["beside", "above", "absolute", "hard link"])
def test_weights_of_onnx_in_another_file_are_refused(tmp_path, kind, in_subgraph):
    folder = tmp_path / "model"
    folder.mkdir()
    names = {
        "beside": "weights",
        "above": "../secret",
        "absolute": str(tmp_path / "secret"),
        "hard link": "linked",
    }
    for path in (folder / "weights", tmp_path / "secret"):
        path.write_bytes(WEIGHTS.tobytes())
    (folder / "linked").hardlink_to(tmp_path / "secret")
    path = onnx_with_external_data(folder / "m.onnx", names[kind], in_subgraph)
    for load in (lambda: Runtime(path, trust=False), lambda: read_facts(path)):
        with refusal(UsageError, path, "another file on the disk", names[kind]):
            load()


def test_a_tflite_with_operations_of_tensorflow_executes_none_of_them(tmp_path):
    import tensorflow as tf

    class Writing(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="images")])
        def serve(self, images):
            tf.io.write_file(str(tmp_path / "written"), "x")
            return {
                "probabilities": images
                + tf.cast(tf.strings.length(tf.io.read_file("/etc/hosts")), tf.float32)
            }

    writing = Writing()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [writing.serve.get_concrete_function()], writing
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    with refusal(UsageError, "model.tflite"):
        Runtime(tmp_path / "model.tflite", trust=False)
    assert not (tmp_path / "written").exists()
