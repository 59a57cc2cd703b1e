"""Several processes take the steps that one would, and leave the same artefact."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued, replay
from tests.training.preferences import LABELS, PAIRS
from tests.training.rows import CONVERSATIONS, ROOT
from tests.training.test_run import metrics, quiet
from tests.warm import CONTEXT
from training import run
from training.errors import Undistributable

FSDP = {  # what `accelerate launch` tells its processes, by deploy/accelerate/fsdp.yaml
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_MIXED_PRECISION": "bf16",  # not the configuration's: the recipes here ask for fp32
    "FSDP_VERSION": "2",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
PATIENCE = 240  # seconds; two of them import the training libraries on a busy machine


def _process(rank: int, meeting: Path, recipes: list[Path], runs: Path) -> None:
    """One of two, its weights cut; accelerate does that on GPUs alone, so CPUs are said to be some."""
    os.environ.update(FSDP, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    from accelerate import DistributedType, PartialState

    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # no workers for a few rows
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    begin: Any = PartialState.__init__

    def begin_as_gpus(self: Any, *given: Any, **more: Any) -> None:
        begin(self, *given, **more)
        if self.distributed_type is DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = begin_as_gpus
    for recipe in recipes:
        run.train(recipe, runs=runs, report=quiet)
        assert PartialState().distributed_type is DistributedType.FSDP


def test_two_processes_with_cut_weights_make_what_one_makes(
    recipe: Recipe, continued: Continued, tmp_path: Path
) -> None:
    plan = {"train.batch_rows": 2, "train.accumulate": 2, "train.log_every": 1, "train.evaluate_every": 2}
    plan["data.validation_rows"] = 5  # three batches: dealt out, there would be one too few
    odd = plan | {"train.accumulate": 4}  # 13 rows: a step of four batches, one of three, the last of one row
    recipes = [
        recipe(**plan),
        recipe(PAIRS, name="rm", stage="rm", form="pairs", **plan, **{"train.gradient_checkpointing": True}),
        recipe(PAIRS, name="dpo", stage="dpo", form="pairs", **plan),
        recipe(CONVERSATIONS[:18], name="odd-sft", **odd),
        continued(name="odd-cpt", **odd | {"train.steps": 4}),
        recipe(PAIRS[:18], name="odd-rm", stage="rm", form="pairs", **odd),
        recipe(PAIRS[:18], name="odd-dpo", stage="dpo", form="pairs", **odd),
        recipe(PAIRS[:18], name="odd-simpo", stage="dpo", form="pairs", loss="simpo", **odd),
    ]
    alone = [run.train(path, runs=tmp_path / "alone", report=quiet) for path in recipes]

    given = (tmp_path / "meeting", recipes, tmp_path / "shared")
    both = [CONTEXT.Process(target=_process, args=(rank, *given), daemon=True) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(PATIENCE)
    assert [process.exitcode for process in both] == [0, 0]

    for made in alone:
        shared = tmp_path / "shared" / made.parent.name
        [weights] = made.glob("*.safetensors")
        theirs = load_file(shared / "artefact" / weights.name)
        for name, weight in load_file(weights).items():  # but for bfloat16's last bit: gradients are summed
            torch.testing.assert_close(theirs[name], weight, rtol=2**-7, atol=1e-6)  # in another order
        for one, other in zip(metrics(made.parent), metrics(shared), strict=True):
            assert one.keys() == other.keys()
            for name in one.keys() - {"tokens_per_second"}:
                assert one[name] == pytest.approx(other[name], abs=1e-4), f"{shared.name}: {name}"
        numbers = [artefact.read_manifest(folder).metrics for folder in (made, shared / "artefact")]
        for name in numbers[0].keys() - {"seconds"}:
            assert numbers[0][name] == pytest.approx(numbers[1][name], abs=1e-4), f"{shared.name}: {name}"
        assert (shared / "checkpoints" / "checkpoint-4" / "complete").is_file()


def test_a_recipe_that_can_not_be_shared_is_refused(
    recipe: Recipe, online: Online, continued: Continued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    uneven, virtual = recipe(name="uneven", **{"train.accumulate": 3}), recipe(method="prefix", lora=None)
    kto = recipe(LABELS, name="kto", stage="dpo", form="labels", loss="kto", **{"train.accumulate": 2})
    for path, said in (
        (kto, "loss kto trains in one process, and accelerate has started 2"),
        (uneven, r"train\.accumulate \(3\) must be a multiple of the processes \(2\)"),
        (virtual, "method prefix trains in one process, and accelerate has started 2"),
    ):
        with pytest.raises(Undistributable, match=said):
            run.train(path, runs=tmp_path / "runs", report=quiet)
    with pytest.raises(Undistributable, match="stage ppo runs in one process"):
        run.train(online("ppo"), runs=tmp_path / "runs", report=quiet)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    bound = {"replay": replay(tmp_path), "probe": {"rows": 8, "max_forgetting": 1.0}}
    path = continued(**bound, **{"train.accumulate": 2, "train.evaluate_every": 2})
    with pytest.raises(Undistributable, match=r"probe\.max_forgetting keeps whole weights to go back to"):
        run.train(path, runs=tmp_path / "runs", report=quiet)
    assert not (tmp_path / "runs").exists()


def test_a_process_that_does_not_keep_the_run_writes_nothing(tmp_path: Path) -> None:
    from training.runs.folder import RunFolder

    folder = RunFolder(tmp_path, keeper=False)
    folder.add_metrics({"step": 1})
    folder.keep_metrics_until(0, 0)
    folder.check_data({"a": "b"}, resuming=False)
    half = folder.checkpoints / "checkpoint-1"
    half.mkdir(parents=True)
    assert folder.last_checkpoint() is None
    assert half.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints"]


@pytest.mark.parametrize(("name", "kind"), [("fsdp", "FSDP"), ("deepspeed-zero3", "DEEPSPEED")])
def test_accelerate_understands_the_configurations(name: str, kind: str) -> None:
    found = load_config_from_file(str(ROOT / "deploy" / "accelerate" / f"{name}.yaml"))
    assert found.distributed_type == kind
    assert found.num_processes == 2
    assert found.mixed_precision == "no"  # the recipe decides
    if name == "fsdp":
        assert found.fsdp_config["fsdp_version"] == 2
        told = {f"fsdp_{key[5:].lower()}" for key in FSDP if key.startswith("FSDP_")}
        assert told <= found.fsdp_config.keys()
    else:
        assert found.deepspeed_config["zero_stage"] == 3
