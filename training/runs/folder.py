"""The folder of one run: config, data hashes, metrics, curves, checkpoints and, at the end, the artefact.

::

    runs/<name>/
      config.yaml      the recipe, every default filled in
      data.json        sha256 of each source's rows
      files.json       sha256 of each file that they are read from
      metrics.jsonl    one line a log step, one an evaluation
      seconds          how long it has been trained by now, over all processes that went on with it
      curves.png
      gain.md          cpt: what each held-out text has gained or lost; the numbers in gain.json, gain.png
      tensorboard/     only with the tracker of that name
      tokenizer/       only where the recipe makes one
      within-bound.safetensors   cpt with a bound: the weights of the last evaluation within it
      checkpoints/     checkpoint-<step>/, the last two; each is whole once it holds the file `complete`
      artefact/        appears whole, when all is done
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pointsman import artefact
from pointsman.core_yaml import write_core
from training.data.reading import files
from training.errors import RunConflict
from training.held import held
from training.recipe import Recipe
from training.runs import began, processes, whole

COMPLETE = whole.MARK


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run keeps everything."""

    path: Path
    trackers: tuple[Callable[[Mapping[str, float]], None], ...] = ()  # get every line of metrics too
    keeper: bool = True  # this process writes here; the others of a distributed run read
    seconds_before: float = 0.0  # of the processes that were stopped before this one went on
    began: float = field(default_factory=time.monotonic)  # this one, by its own clock

    @property
    def config(self) -> Path:
        """The recipe as it is trained."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """JSON lines."""
        return self.path / "metrics.jsonl"

    @property
    def clock(self) -> Path:
        """The seconds that :meth:`note_seconds` has written last."""
        return self.path / "seconds"

    @property
    def curves(self) -> Path:
        """The metrics as a picture."""
        return self.path / "curves.png"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer, where the recipe trains one."""
        return self.path / "tokenizer"

    @property
    def checkpoints(self) -> Path:
        """The trainer's own folder."""
        return self.path / "checkpoints"

    @property
    def artefact(self) -> Path:
        """The result; exists only when the run is finished."""
        return self.path / "artefact"

    @property
    def finished(self) -> bool:
        """Is there a result?"""
        return (self.artefact / artefact.MANIFEST).is_file()

    @property
    def again(self) -> str:
        """What the same command does behind this one, in words: nothing is removed for it."""
        steps = [_step(folder) for folder in self._steps() if (folder / COMPLETE).is_file()]
        if not steps:
            return "begins anew, as there is no checkpoint yet"
        return f"goes on from the checkpoint of step {steps[-1]}, which is whole"

    def last_checkpoint(self) -> Path | None:
        """The latest whole checkpoint. What a killed process left half-written is removed.

        Raises:
            RunConflict: there are some, and all have been damaged since.
        """
        found: list[Path] = []
        damaged: list[str] = []
        for folder in self._steps():
            if not (folder / COMPLETE).is_file():
                if self.keeper:
                    shutil.rmtree(folder)
            elif why := whole.damage(folder):
                damaged.append(why)
            else:
                found.append(folder)
        if damaged and not found:
            raise RunConflict(
                f"{damaged[-1]}, and there is no other checkpoint to go on from; put the file back as it "
                f"was, or remove {self.path} to begin again"
            )
        return found[-1] if found else None

    def _steps(self) -> list[Path]:
        """The folders of checkpoints, whole or not, by their steps."""
        folders = self.checkpoints.glob("checkpoint-*")
        return sorted((one for one in folders if _step(one).isdecimal()), key=lambda one: int(_step(one)))

    def begin(self, checkpoint: Path | None, steps: int, report: Callable[[str], None]) -> int:
        """Make ready for the first of ``steps``, or for the one behind ``checkpoint``; the steps done."""
        if checkpoint is None:
            if self.keeper:
                self.metrics.unlink(missing_ok=True)
            return 0
        for folder in self._steps():
            if (folder / COMPLETE).is_file() and (why := whole.damage(folder)):
                report(f"{why}, so this checkpoint is removed and the one before it is gone on from")
                if self.keeper:
                    shutil.rmtree(folder)
        done = int(_step(checkpoint))
        report(f"{self.path} was stopped before it was finished; going on after step {done}")
        self.keep_metrics_until(done, last=steps)
        return done

    def keep_metrics_until(self, step: int, last: int) -> None:
        """Cut the metrics behind ``step``: what follows a checkpoint is done, and written, again.

        So is the closing evaluation, that of the ``last`` step.
        """
        if not self.keeper or not self.metrics.is_file():
            return
        with whole.readable(self.metrics):
            lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
            read = [(line, json.loads(line)) for line in lines if line.endswith("\n")]
            kept = [
                line
                for line, metrics in read
                if metrics["step"] <= step and not (_is_evaluation(metrics) and metrics["step"] == last)
            ]
        artefact.write_atomically(self.metrics, "".join(kept).encode())

    def add_metrics(self, line: dict[str, float]) -> None:
        """Write one line of metrics; it holds the ``step``."""
        if not self.keeper:
            return
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for track in self.trackers:
            track(line)
        self.note_seconds()

    def note_seconds(self) -> float:
        """Write how long the run has been trained by all its processes; rounded to a tenth.

        Every line of metrics does it, so what a killed process has done since its last line is not in it.
        """
        seconds = round(self.seconds_before + time.monotonic() - self.began, 1)
        if self.keeper:
            artefact.write_atomically(self.clock, f"{seconds}\n".encode())
        return seconds

    def read_metrics(self) -> list[dict[str, float]]:
        """The metrics so far, in order."""
        if not self.metrics.is_file():
            return []
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def check_data(self, hashes: dict[str, str], resuming: bool) -> None:
        """Remember the data's hashes, or compare with those that the run began with."""
        path = self.path / "data.json"
        if resuming and path.is_file():
            with whole.readable(path):
                before = json.loads(path.read_text(encoding="utf-8"))
                changed = [source for source in hashes if before.get(source) != hashes[source]]
            if changed:
                raise RunConflict(
                    f"{self.path} was begun with other rows of {', '.join(changed)}; a run can't change "
                    "its data on the way. Remove the folder to begin again, or give the recipe another name"
                )
        if self.keeper:
            artefact.write_atomically(path, json.dumps(hashes, indent=2, ensure_ascii=False).encode())


def _is_evaluation(metrics: dict[str, float]) -> bool:
    return any(name.startswith("eval_") for name in metrics)


@contextmanager
def opened(recipe: Recipe, runs: Path) -> Iterator[RunFolder]:
    """The folder of ``recipe``'s run, held for this process alone.

    Raises:
        RunConflict: another process trains in it, or it holds what another recipe has begun, or what was
            made of other files.
    """
    folder = RunFolder(runs / recipe.name, keeper=processes.keeps())
    if not folder.keeper:
        processes.wait()  # for the one below
        yield folder
        return
    folder.path.mkdir(parents=True, exist_ok=True)
    busy = RunConflict(f"{folder.path}: another process is training there; wait for it or stop it")
    with held(folder.path / "lock", busy):
        config = recipe.model_dump(mode="json")
        if folder.finished or folder.last_checkpoint():
            began.refuse_other_recipe(folder.path, folder.config, config)
            folder = replace(folder, seconds_before=_seconds(folder.clock))
        began.compare_files(folder.path, files.hashes(recipe), finished=folder.finished)
        text = write_core(config)
        artefact.write_atomically(folder.config, text.encode())
        processes.wait()
        yield folder


def _seconds(clock: Path) -> float:
    """What ``clock`` says; 0 where an older release has begun the run, which kept none."""
    with whole.readable(clock):
        return float(clock.read_text(encoding="utf-8")) if clock.is_file() else 0.0


def _step(checkpoint: Path) -> str:
    """The number that a checkpoint's folder ends in."""
    return checkpoint.name.rpartition("-")[2]
