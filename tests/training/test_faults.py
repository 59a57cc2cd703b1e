"""Memory and disk that run out, and weights that break, are one clear message; no checkpoint is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.disturbed import untimed
from tests.training.test_methods import METHODS
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import DiskFull, LossNotFinite, OutOfMemory
from training.runs import faults
from training.runs.folder import RunFolder
from training.trainers import trl

LIMITED = OSError(errno.EFBIG, os.strerror(errno.EFBIG))
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("raised", "named"),
    [
        (MemoryError(), OutOfMemory),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), OutOfMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory),
        (FULL, DiskFull),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), DiskFull),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 791872 vs 791760"),
            DiskFull,
        ),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            DiskFull,
        ),
        (LIMITED, DiskFull),
        (SafetensorError("Error while serializing: I/O error: File too large (os error 27)"), DiskFull),
        (RuntimeError("probability tensor contains either `inf`, `nan` or element < 0"), LossNotFinite),
        (RuntimeError("shapes differ"), RuntimeError),
        (FileNotFoundError(errno.ENOENT, "no such file"), FileNotFoundError),
    ],
)
def test_what_runs_out_is_named(raised: Exception, named: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(named) as caught, faults.named(RunFolder(tmp_path)):
        raise raised
    assert type(caught.value) is named


def test_a_limit_of_files_sizes_is_told_from_a_full_disk(tmp_path: Path) -> None:
    told = r"larger than is allowed here \(.*raise the limit \(ulimit -f"
    with pytest.raises(DiskFull, match=told), faults.named(RunFolder(tmp_path)):
        raise LIMITED


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ([], "begins anew, as there is no checkpoint yet"),
        (["checkpoint-4/model"], "begins anew, as there is no checkpoint yet"),  # half written
        (["checkpoint-2/complete", "checkpoint-10/complete", "checkpoint-12/model"], "checkpoint of step 10"),
    ],
)
@pytest.mark.parametrize("raised", [MemoryError(), LIMITED, FULL, KeyboardInterrupt()])
def test_what_ends_a_run_says_which_checkpoint_there_is(
    raised: BaseException, left: list[str], told: str, tmp_path: Path
) -> None:
    for name in left:
        file = tmp_path / "checkpoints" / name
        file.parent.mkdir(parents=True)
        file.touch()
    with (
        pytest.raises((OutOfMemory, DiskFull, KeyboardInterrupt), match=told),
        faults.named(RunFolder(tmp_path)),
    ):
        raise raised


@pytest.mark.parametrize("method", ["full", "prefix", "pissa"])
def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    options: dict[str, Any] = {"lora": None} | METHODS[method] | {"train.batch_rows": 2}
    path = recipe(method=method, **options, **{"train.steps": 7, "train.save_every": 2})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    save = trl.Likelihood._save

    def fills(self: Any, output_dir: str, state_dict: Any = None) -> None:
        save(self, output_dir, state_dict)
        if output_dir.endswith("-6"):
            raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(trl.Likelihood, "_save", fills)
        with pytest.raises(
            DiskFull, match=r"tiny can't be written, the disk is full \(.*No space left.*step 4"
        ):
            run.train(path, runs=tmp_path, report=quiet)
    told: list[str] = []
    resumed = run.train(path, runs=tmp_path, report=told.append)
    assert any("going on after step 4" in line for line in told)
    files = sorted(file.name for file in whole.glob("*.safetensors"))
    assert [artefact.sha256_file(resumed / name) for name in files] == [
        artefact.sha256_file(whole / name) for name in files
    ]
    assert untimed(metrics(tmp_path / "tiny")) == untimed(metrics(tmp_path / "whole" / "tiny"))
