"""A worker's answers to requests, independent of the transport."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tuner.errors import StorageError, TunerError
from tuner.files import out_of_space, temporary_folder
from tuner.statistics.auroc import NAME as AUROC
from tuner.statistics.auroc import has_auroc
from tuner.training.averaging import average
from tuner.training.build import blaming_the_space, build_model, is_out_of_memory, probabilities
from tuner.training.checkpoint import read_history
from tuner.training.compute import Compute, choose_precision, use_precision
from tuner.training.device import describe_device, load_backend
from tuner.training.error_text import described
from tuner.training.fit_call import own_fit, tried_images
from tuner.training.heatmaps import heatmaps
from tuner.training.loop import make_loop
from tuner.training.next_trial import NextTrial
from tuner.training.pixels import pixels_of, scaled
from tuner.training.source_code import code_hashes
from tuner.training.task import FailureReason, TrainTask, TrialError
from tuner.training.trial import ACCURACY, build_trial, load_space, restore_winner, train
from tuner.training.versions import installed_versions
from tuner.training.warm_trials import MAX_KEPT_MIB, WarmTrials
from tuner.training.xla import choose_xla
from tuner.workers.protocol import (
    Describe,
    Description,
    Event,
    Explain,
    Explained,
    Failure,
    FinishModel,
    Halt,
    Member,
    ModelDone,
    Ready,
    Request,
    Unfold,
    WholeSpace,
    WorkerSetup,
)

_OWN = ("tuner.", "keras_tuner.", "importlib.")


def announce() -> Ready:
    """Load the backend and describe this process."""
    load_backend()
    import keras

    return Ready(keras.config.backend(), describe_device(), installed_versions())


class Server:
    """Answers the requests of one driver for one space and one data set."""

    def __init__(self, setup: WorkerSetup, warm_mib: float = MAX_KEPT_MIB) -> None:
        self._dataset = setup.dataset
        self._hypermodel = setup.hypermodel
        self._warm = WarmTrials(warm_mib)
        self._following = NextTrial(
            partial(build_trial, hypermodel=setup.hypermodel, dataset=setup.dataset),
            self._warm.__contains__,
        )

    def look_ahead(self, task: TrainTask) -> None:
        """Build the next trial while another trains; from any thread."""
        self._following.hint(task)

    def finish_build(self) -> None:
        """Wait for the build of the next trial."""
        self._following.stop()

    def answer(self, request: Request, emit: Callable[[Event], None]) -> Event:
        """Return the answer to a request; failures are answers too."""
        trial_id = request.trial_id if isinstance(request, TrainTask) else None
        self.finish_build()
        try:
            if isinstance(request, Describe):
                return self._describe(request)
            if isinstance(request, Unfold):
                return self._unfold(request)
            if isinstance(request, TrainTask):
                return self._train(request, emit)
            if isinstance(request, Explain):
                return self._explain(request)
            return self._finish(request)
        except TrialError as error:
            shown = _user_traceback(error.__cause__ or error)
            return _halt(error) or Failure(trial_id, error.reason, str(error), shown)
        except StorageError as error:
            return Halt(str(error))
        except TunerError as error:
            return Failure(trial_id, "build", str(error), "")
        except (Exception, SystemExit) as error:
            reason: FailureReason = "oom" if is_out_of_memory(error) else "crash"
            return _halt(error) or Failure(trial_id, reason, described(error), _user_traceback(error))

    def _train(self, task: TrainTask, emit: Callable[[Event], None]) -> Event:
        begun = time.monotonic()
        try:
            return train(task, self._hypermodel, self._dataset, emit, self._warm, self._following)
        except Exception as error:
            if not (is_out_of_memory(error) and (self._warm or self._following)):
                raise
        # Other trials hold memory; without them, this one continues from its checkpoint.
        self._warm.clear()
        self.finish_build()
        self._following.give_up()
        gc.collect()
        reported = max(task.epochs_reported, len(read_history(task.checkpoint_dir)))
        left_s = None if task.left_s is None else task.left_s - (time.monotonic() - begun)
        rest = replace(task, epochs_reported=reported, left_s=left_s)
        return train(rest, self._hypermodel, self._dataset, emit, self._warm)

    def _describe(self, request: Describe) -> Description:
        import keras
        import keras_tuner as kt

        load_space(self._hypermodel)
        compute = Compute(choose_precision(request.precision))
        use_precision(compute.precision)
        hypermodel: Any = self._hypermodel
        with blaming_the_space():
            hp = getattr(hypermodel, "hyperparameters", kt.HyperParameters)()
        model = build_model(hypermodel, {}, self._dataset, hp)
        splits, labels = self._dataset.splits, self._dataset.labels
        first = splits["train"][:8]
        loop = make_loop(model, self._dataset.images[first], labels[first])
        metrics = loop.evaluate(np.arange(len(first)))
        # A winner that is trained on all images has no validation split.
        exact = [ACCURACY] if "validation" in splits else []
        exact += [AUROC] if exact and has_auroc(labels[splits["validation"]]) else []
        # Wrong outputs are refused now, and not after the whole search.
        images = keras.ops.convert_to_tensor(scaled(self._dataset.images[first], pixels_of(model)))
        outputs = model(images, training=False)
        probabilities(model, keras.ops.convert_to_numpy(outputs))
        num_params = int(model.count_params())
        with blaming_the_space():
            seen = keras.ops.convert_to_numpy(images)
            notes = hypermodel.notes(model, seen) if hasattr(hypermodel, "notes") else ()
            notes += self._declare_fit(hp, model)  # it may train the model
            if AUROC in metrics and AUROC in exact:
                notes += (
                    f"val_{AUROC} is the exact area under the ROC curve, not the '{AUROC}' of compile.",
                )
            training = hypermodel.training(hp) if hasattr(hypermodel, "training") else ()
        xla = choose_xla(
            "off" if own_fit(hypermodel) else request.xla,
            hypermodel,
            self._dataset,
            dict(hp.values),
            request.batch_size,
            request.images,
            request.trials,
        )
        keras.utils.clear_session()
        return Description(
            hp.get_config(),
            (*metrics, *(f"val_{name}" for name in dict.fromkeys([*metrics, *exact]))),
            num_params,
            replace(compute, xla=xla),
            code_hashes(),
            training,
            getattr(hypermodel, "presets", {}),
            notes,
        )

    def _declare_fit(self, hp: Any, model: Any) -> tuple[str, ...]:
        """Let a user's own fit declare its hyperparameters; return sentences about it."""
        hypermodel: Any = self._hypermodel
        if not hasattr(hypermodel, "declare_fit"):
            return ()
        dataset = self._dataset
        few = tried_images(dataset.images, dataset.splits["train"])
        found: tuple[str, ...] = hypermodel.declare_fit(hp, model, dataset.images[few], dataset.labels[few])
        return found

    def _unfold(self, request: Unfold) -> WholeSpace:
        hypermodel: Any = self._hypermodel
        if not hasattr(hypermodel, "unfold"):
            return WholeSpace(request.hyperparameters, ())
        space, notes = hypermodel.unfold(request.hyperparameters)
        return WholeSpace(space.get_config(), notes)

    def _finish(self, request: FinishModel) -> ModelDone:
        dataset = self._dataset
        models = [self._restore(member) for member in request.members]
        model = models[0] if len(models) == 1 else average(models)
        with temporary_folder() as folder:
            path = folder / "model.keras"
            model.save(path)
            contents = path.read_bytes()
        loop = make_loop(model, dataset.images, dataset.labels)
        indices = dataset.splits[request.split]
        # Predict a batch of each size first, so that the time does not include tracing.
        loop.predict(indices[: loop.evaluation_batch + len(indices) % loop.evaluation_batch])
        start = time.perf_counter()
        outputs = loop.predict(indices)
        prediction_s = time.perf_counter() - start
        others = {
            split: probabilities(model, loop.predict(dataset.splits[split])) for split in request.others
        }
        return ModelDone(contents, probabilities(model, outputs), prediction_s, others)

    def _explain(self, request: Explain) -> Explained:
        model = self._restore(request.member)
        images = self._dataset.images[request.indices]
        return Explained(heatmaps(model, images, request.classes))

    def _restore(self, member: Member) -> Any:
        return restore_winner(self._hypermodel, member.values, member.checkpoint_dir, self._dataset)


def _halt(error: BaseException) -> Halt | None:
    """Return the answer where a disk is full, whoever wrote to it: the next trial would fail too."""
    full = out_of_space(error)
    if full is None:
        return None
    return Halt(f"cannot write '{full.filename or 'a file'}': {full.strerror}. Free space, then go on.")


def _user_traceback(error: BaseException) -> str:
    """Return the traceback without our own frames above those of the space."""
    frame = error.__traceback__
    while (
        frame is not None and frame.tb_next and frame.tb_frame.f_globals.get("__name__", "").startswith(_OWN)
    ):
        frame = frame.tb_next
    return "".join(traceback.format_exception(error.with_traceback(frame)))
