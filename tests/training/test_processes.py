"""Several processes take the steps that one would, and leave the same artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from tests.training import side_by_side
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued, replay
from tests.training.preferences import LABELS, PAIRS
from tests.training.rows import CONVERSATIONS, ROOT
from tests.training.test_run import quiet
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


def _train(recipes: list[Path], runs: Path) -> None:
    """By one of two, its weights cut; accelerate does that on GPUs alone, so CPUs are said to be some."""
    from accelerate import DistributedType, PartialState

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
        recipe(LABELS[:18], name="odd-kto", stage="dpo", form="labels", loss="kto", **odd),
    ]
    alone = [run.train(path, runs=tmp_path / "alone", report=quiet) for path in recipes]

    side_by_side.both(tmp_path / "meeting", _train, recipes, tmp_path / "shared", told=FSDP)
    for made in alone:
        shared = tmp_path / "shared" / made.parent.name
        side_by_side.assert_alike(made, shared / "artefact")
        assert (shared / "checkpoints" / "checkpoint-4" / "complete").is_file()


def test_a_recipe_that_can_not_be_shared_is_refused(
    recipe: Recipe, online: Online, continued: Continued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    uneven = r"train\.accumulate \(3\) must be a multiple of the processes \(2\)"
    for path in (
        recipe(name="sft", **{"train.accumulate": 3}),
        online("grpo", **{"train.accumulate": 3}, generations=2),
    ):
        with pytest.raises(Undistributable, match=uneven):
            run.train(path, runs=tmp_path / "runs", report=quiet)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    for path, said in (
        (recipe(name="prefix", method="prefix", lora=None), "method prefix learns virtual tokens"),
        (recipe(name="qlora", method="qlora"), "method qlora keeps its base in 4 bits in every process"),
        (online("ppo", name="ppo"), "stage ppo samples answers from whole weights"),
        (online("grpo", name="grpo"), "stage grpo samples answers from whole weights"),
    ):
        with pytest.raises(Undistributable, match=rf"{said}.*\(deploy/accelerate/data-parallel\.yaml\)"):
            run.train(path, runs=tmp_path / "runs", report=quiet)
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


@pytest.mark.parametrize(
    ("name", "kind"), [("fsdp", "FSDP"), ("deepspeed-zero3", "DEEPSPEED"), ("data-parallel", "MULTI_GPU")]
)
def test_accelerate_understands_the_configurations(name: str, kind: str) -> None:
    found = load_config_from_file(str(ROOT / "deploy" / "accelerate" / f"{name}.yaml"))
    assert found.distributed_type == kind
    assert found.num_processes == 2
    assert found.mixed_precision == "no"  # the recipe decides
    if name == "fsdp":
        assert found.fsdp_config["fsdp_version"] == 2
        told = {f"fsdp_{key[5:].lower()}" for key in FSDP if key.startswith("FSDP_")}
        assert told <= found.fsdp_config.keys()
    elif name == "deepspeed-zero3":
        assert found.deepspeed_config["zero_stage"] == 3
