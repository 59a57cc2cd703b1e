"""Starts GPTQModel in a process of its own, follows it and says what went wrong in it."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from training.errors import DiskFull, OutOfMemory, QuantizeError
from training.runs.bar import Bar

PACKAGES = Path(sys.prefix) / "quantize"  # where `make env` puts GPTQModel; nothing else looks there
_CODE = Path(__file__).parents[2]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MEMORY = ("out of memory", "MemoryError", "can't allocate memory")


@dataclass(frozen=True, slots=True)
class Quantized:
    """What GPTQModel says of its work; the weights are in the plan's folder."""

    version: str  # GPTQModel's
    errors: list[tuple[int, float | None]]  # of each module: its layer (from 0), squared error of its outputs

    def of_layer(self, layer: int) -> list[float]:
        """The known errors of the modules of ``layer``."""
        return [error for number, error in self.errors if number == layer and error is not None]

    @property
    def unseen(self) -> int:
        """Modules that saw too few rows, and were rounded to the nearest."""
        return sum(error is None for _, error in self.errors)


def refuse_without_packages() -> None:
    """Make sure that GPTQModel is there.

    Raises:
        QuantizeError: it is not.
    """
    if not (PACKAGES / "gptqmodel").is_dir():
        raise QuantizeError(
            f"GPTQModel is not installed ({PACKAGES} holds none); `make env-quantize` installs it, and says "
            "what it lacks where it can't"
        )


def quantize(plan: dict[str, Any], log: Path, bar: Bar) -> Quantized:
    """Do what ``plan`` says, see :mod:`training.quantize.gptq`; what GPTQModel prints goes to ``log``.

    Args:
        plan: goes to the process as JSON; its paths are absolute, as it works in another folder.
        log: a file, written anew.
        bar: moved with each layer that is done.

    Raises:
        QuantizeError: GPTQModel failed.
        OutOfMemory, DiskFull: it needed more memory, or room on the disk, than there is.
    """
    refuse_without_packages()
    last: dict[str, Any] = {}
    with log.open("wb") as errors, _started(errors) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(plan))
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died as it began; its log says why
        for line in process.stdout:
            last = json.loads(line)
            if "layer" in last:
                bar.move(last["layer"])
                bar.say(last["layer"], "layers quantised")
        code = process.wait()
    if code != 0 or "version" not in last:
        _raise(code, log)
    return Quantized(last["version"], [(layer, error) for layer, error in last["errors"]])


@contextmanager
def _started(errors: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """The process, which ends with this block."""
    path = os.pathsep.join(filter(None, (str(PACKAGES), str(_CODE), os.environ.get("PYTHONPATH"))))
    with (
        tempfile.TemporaryDirectory() as aside,  # GPTQModel leaves files where it is started
        subprocess.Popen(
            [sys.executable, "-m", "training.quantize.gptq"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=aside,
            env=os.environ | {"PYTHONPATH": path},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _raise(code: int, log: Path) -> None:
    lines = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace")).split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    if code == -signal.SIGKILL or any(sign in said for sign in _MEMORY):
        raise OutOfMemory(
            f"the memory is not enough for GPTQ ({'it was killed' if code < 0 else said}); lower "
            "data.batch_rows, data.calibration_rows or data.max_tokens"
        )
    if os.strerror(errno.ENOSPC) in said:
        raise DiskFull(
            f"GPTQModel can't write beside {log}, the disk is full ({said}); make room, then begin again"
        )
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    raise QuantizeError(f"GPTQModel {how}, saying last: {said}; all that it said is in {log}")
