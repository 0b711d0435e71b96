"""Code that predicts one image with an export, and with nothing of this program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuner.data.decoding import DRAFT_FACTOR
from tuner.data_options import Resize
from tuner.models.export import Export
from tuner.models.runtimes import INPUT, OUTPUT, Format
from tuner.sources.pixel_range import PixelRange

FORMAT_NAMES: dict[Format, str] = {
    "keras": "Keras",
    "onnx": "ONNX",
    "tflite": "TensorFlow Lite",
    "saved_model": "SavedModel",
}
_PACKAGES: dict[Format, str] = {
    "keras": "keras, tensorflow",
    "onnx": "onnxruntime",
    "tflite": "ai-edge-litert",
    "saved_model": "tensorflow",
}


def usage(export: Export, data: dict[str, Any]) -> str:
    """Return code that predicts one image, with the packages it takes."""
    form: Format = export.facts["format"]
    side, _, channels = data["image_shape"]
    mode, more = ("RGB", "[None]") if channels == 3 else ("L", "[None, ..., None]")
    # As `tuner.data.decoding.decode`: HEIF too, a large JPEG at a fraction of its size, upright, deep pixels
    # scaled, what is transparent on white, a square.
    image = (
        "try:",
        "    import pillow_heif",
        "    pillow_heif.register_heif_opener()",
        "except ImportError:",
        "    pass  # only images in HEIF (.heic) need it",
        'image = Image.open("image.png")',
        'if image.format == "JPEG":',
        f"    image.draft(image.mode, ({DRAFT_FACTOR * side}, {DRAFT_FACTOR * side}))",
        "image = ImageOps.exif_transpose(image)",
        *_scaled(PixelRange(**export.facts.get("pixel_range", {}))),
        'image = image.convert("RGBA")',
        f'image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("{mode}")',
        *_square(side, mode, export.facts.get("resize", "squeeze")),
        f'image = np.asarray(image, "float32"){more}',
    )
    name = export.path.name
    code: dict[Format, tuple[str, ...]] = {
        "keras": (
            "import keras, numpy as np",
            f"model = keras.models.load_model({name!r}, compile=False)",
            "print(model.predict(image))",
        ),
        "onnx": (
            "import numpy as np, onnxruntime",
            f"session = onnxruntime.InferenceSession({name!r})",
            f'print(session.run(["{OUTPUT}"], {{"{INPUT}": image}})[0])',
        ),
        "tflite": (
            "import numpy as np; from ai_edge_litert.interpreter import Interpreter",
            f"predict = Interpreter(model_path={name!r}).get_signature_runner()",
            f'print(predict({INPUT}=image)["{OUTPUT}"])',
        ),
        "saved_model": (
            "import numpy as np, tensorflow as tf",
            f"model = tf.saved_model.load({name!r})",
            f'print(model.signatures["serving_default"]({INPUT}=tf.constant(image))["{OUTPUT}"])',
        ),
    }
    first, load, show = code[form]
    lines = (first, "from PIL import Image, ImageOps", *image, load, show)
    return (
        f"{FORMAT_NAMES[form]}, with {_PACKAGES[form]} and pillow:\n\n```python\n"
        + "\n".join(lines)
        + "\n```"
    )


def _scaled(known: PixelRange) -> Iterator[str]:
    """Yield lines that scale deep pixels, of floats where the model has seen some."""
    pixels = "    image = Image.fromarray(np.uint8(({} * (255 / {})).round().clip(0, 255)))"
    yield 'if image.mode.startswith("I"):'
    yield pixels.format('np.asarray(image, "float32")', known.integer_max)
    if known.float_high is not None:
        yield 'if image.mode == "F":'
        yield pixels.format(f"(np.asarray(image) - {known.float_low})", known.float_high - known.float_low)


def _square(side: int, mode: str, how: Resize) -> Iterator[str]:
    """Yield lines that make a square of an image."""
    lanczos = "Image.Resampling.LANCZOS"
    if how == "squeeze":
        yield f"image = image.resize(({side}, {side}), {lanczos}, reducing_gap=3.0)"
    elif how == "crop":
        yield "side = min(image.size)"
        yield "left, top = [(length - side) // 2 for length in image.size]"
        yield "box = (left, top, left + side, top + side)"
        yield f"image = image.resize(({side}, {side}), {lanczos}, box, 3.0)"
    else:
        yield f"scale = {side} / max(image.size)"
        yield "size = [max(1, round(length * scale)) for length in image.size]"
        yield f"inner = image.resize(size, {lanczos}, reducing_gap=3.0)"
        yield f'image = Image.new("{mode}", ({side}, {side}))'
        yield f"image.paste(inner, [({side} - length) // 2 for length in size])"
