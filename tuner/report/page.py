"""report.html: one file that needs nothing else, made from the folder of a run."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from tuner import __version__
from tuner.analysis.importance import SCORE, TARGETS
from tuner.analysis.value_bins import value_text
from tuner.evaluation.gallery import Example
from tuner.files import replace_text
from tuner.report import evaluation_figures as figures
from tuner.report.contents import Contents, provenance
from tuner.report.plot_data import rounded
from tuner.report.robustness import robustness_view
from tuner.results.schema import BEST, COMPLETED, CONFUSION_TABLE, FAILED
from tuner.statistics.calibration import NOT_CONVERGED
from tuner.statistics.confusion import MANY_CLASSES
from tuner.training.heatmaps import ATTENTION_ROLLOUT, GRAD_CAM

TEMPLATE = "report.html.jinja"
STYLE = "report.css"
SCRIPTS = ("charts.js", "selection.js", "plots.js", "robustness.js", "leaderboard.js")
# Larger pictures are photographs to a viewer, who does not see what JPEG takes from them.
LARGEST_LOSSLESS = 64
JPEG_QUALITY = 88
# Of the cells of a confusion matrix, for dark and light pages alike.
RIGHT, WRONG = (47, 129, 200), (214, 100, 20)
HOW_IT_LOOKED = {
    GRAD_CAM: "Grad-CAM of the predicted class, on the last map of features",
    ATTENTION_ROLLOUT: (
        "attention rollout, how much of each patch reaches the decision through all layers of attention, "
        "whatever the class; from the least in an image to the most"
    ),
}


def write_report(contents: Contents, path: Path) -> None:
    """Write the page, in the place of an earlier one.

    Raises:
        StorageError: it cannot be written.
    """
    replace_text(path, render(contents))


def render(contents: Contents) -> str:
    """Return the page as HTML. All that comes from the run is escaped."""
    environment = Environment(
        loader=PackageLoader("tuner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters |= {
        "picture": _picture,
        "heat": _heat,
        "matrix": _matrix,
        "percent": figures.percent,
        "value": value_text,
        "count": figures.count,
        "breakable": _breakable,
    }
    environment.globals["zipped"] = partial(zip, strict=True)
    script = "(() => {\n'use strict';\n" + "\n".join(map(_read, SCRIPTS)) + "\n})();"
    evaluation = contents.evaluation
    return environment.get_template(TEMPLATE).render(
        contents=contents,
        run=contents.run,
        facts=contents.run.facts,
        evaluation=evaluation,
        winner=contents.winner,
        how_it_looked=HOW_IT_LOOKED,
        headline=figures.headline_figures(evaluation) if evaluation else [],
        overall=figures.overall_table(evaluation) if evaluation else None,
        classes=figures.class_table(evaluation) if evaluation else None,
        pairs=figures.pairs_table(evaluation) if evaluation else None,
        many_classes=MANY_CLASSES,
        matrix_file=f"{BEST}/{CONFUSION_TABLE}",
        not_converged=NOT_CONVERGED.capitalize(),
        robustness=robustness_view(contents.robustness) if contents.robustness else None,
        provenance=provenance(contents),
        completed=COMPLETED,
        failed=FAILED,
        score_target=SCORE,
        targets=TARGETS,
        data=plot_data(contents),
        version=__version__,
        style=Markup(_read(STYLE)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def plot_data(contents: Contents) -> dict[str, Any]:
    """Return the numbers that the scripts of the page draw."""
    evaluation = contents.evaluation or {}
    data = dataclasses.asdict(contents.plots)
    data |= {
        "winner": contents.winner_position,
        "roc": [dataclasses.asdict(curve) for curve in contents.roc],
        "reliability": evaluation.get("reliability", []),
        "calibrated": (evaluation.get("calibrated") or {}).get("reliability", []),
        "robustness": (contents.robustness or {}).get("corruptions", []),
    }
    plain: dict[str, Any] = rounded(data)
    return plain


def _read(name: str) -> str:
    return files("tuner.report").joinpath(name).read_text("utf-8")


def _picture(example: Example) -> str:
    pixels = example.pixels[..., 0] if example.pixels.shape[-1] == 1 else example.pixels
    small = max(pixels.shape[:2]) <= LARGEST_LOSSLESS
    return _address(Image.fromarray(pixels), "PNG" if small else "JPEG")


def _heat(example: Example) -> str:
    """The map as a shade over what the model did not look at; the browser scales it smoothly."""
    assert example.heat is not None
    rgba = np.zeros((*example.heat.shape, 4), np.uint8)
    rgba[..., 3] = 255 - example.heat
    return _address(Image.fromarray(rgba), "PNG")


def _matrix(evaluation: dict[str, Any]) -> str:
    """A pixel for each cell: the more of its true class, the less transparent; right or wrong by its hue."""
    counts = np.array(evaluation["confusion_matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rgba = np.empty((*counts.shape, 4), np.uint8)
    rgba[..., :3] = WRONG
    np.einsum("iij->ij", rgba)[:, :3] = RIGHT
    # A few errors of a class are seen too.
    rgba[..., 3] = np.round(255 * np.sqrt(shares))
    return _address(Image.fromarray(rgba), "PNG")


def _address(image: Image.Image, form: str) -> str:
    buffer = io.BytesIO()
    if form == "JPEG":
        image.save(buffer, form, quality=JPEG_QUALITY)
    else:
        image.save(buffer, form, optimize=True)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _breakable(name: str) -> Markup:
    """A name that may be broken behind each underscore."""
    return Markup("<wbr>").join(re.findall("[^_]*_+|[^_]+", name))
