"""Adapters of other trainers: a PEFT folder without a manifest, under a name of their choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.artefact import MANIFEST, SIGNATURE, version_of
from pointsman.signing import make_key, sign
from service.errors import AdapterRejected
from tests.service.adapters.artefacts import lora, write_adapter
from tests.service.adapters.conftest import World, build


def write_plain(world: World, name: str = "plain", **changes: Any) -> Path:
    """What PEFT's save_pretrained leaves."""
    folder = write_adapter(world.folder / "adapters" / name, world.folder / "base", **changes)
    (folder / MANIFEST).unlink()
    return folder


@pytest.mark.parametrize("alias", ["policy", "Policy-1", "sql.v2", "run/step10"])
async def test_a_plain_folder_is_served_and_says_where_it_comes_from(world: World, alias: str) -> None:
    folder = write_plain(world, config={"base_model_name_or_path": "org/Base"})
    version = (await world.adapters.register(alias, "plain", foreign=True)).version
    assert version == version_of(folder)
    await world.adapters.promote(alias, version)
    assert await world.answered_by(alias) == version
    shown = await world.adapters.show(alias, version)
    assert shown.manifest is not None
    assert (shown.manifest.alias, shown.manifest.stage) == (alias, "load_lora_adapter")
    assert (shown.manifest.base_model, shown.manifest.metrics) == ("org/Base", {})
    assert "by its matrices' names and shapes alone" in (shown.manifest.warning or "").replace("known ", "")
    assert not (folder / MANIFEST).exists()  # the trainer's folder stays as it is

    await world.adapters.stop()
    again = build(world.folder, world.engine)
    await again.adapters.start()
    world.engine.restart()
    await again.bring_up()
    assert await again.answered_by(alias) == version
    await again.adapters.withdraw(alias)
    assert not again.adapters.knows(alias)
    await again.adapters.stop()


async def test_an_artefact_of_ours_keeps_its_manifest(world: World) -> None:
    version = (await world.adapters.register("policy", world.write("ours"), foreign=True)).version
    shown = await world.adapters.show("policy", version)
    assert shown.manifest is not None
    assert (shown.manifest.stage, shown.manifest.metrics) == ("sft", {"eval_loss": 1.5})


async def test_elsewhere_a_manifest_is_asked_for_and_the_way_is_told(world: World) -> None:
    write_plain(world)
    with pytest.raises(AdapterRejected, match="`pointsman train` writes it, and POST /v1/load_lora_adapter"):
        await world.adapters.register("policy", "plain")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"config": {"r": 64}}, "r is 64, the engine was started for ranks up to"),
    ({"config": {"use_dora": True}}, "use_dora"),
    ({"config": {"target_modules": ["v_proj"]}}, "target_modules of adapter_config.json without a matrix"),
    ({"tensors": lora(rank=2)}, "shapes that fit neither the base nor adapter_config.json"),
    (
        {"tensors": {"base_model.model.other.lora_A.weight": np.ones((4, 8), dtype="<f4")}},
        "modules that the base does not have",
    ),
]


@pytest.mark.parametrize(("changes", "says"), WRONG)
async def test_a_plain_folder_goes_through_the_checks(
    world: World, changes: dict[str, Any], says: str
) -> None:
    write_plain(world, **changes)
    with pytest.raises(AdapterRejected, match=says):
        await world.adapters.register("policy", "plain", foreign=True)
    assert await world.states() == {}


async def test_only_safetensors_are_taken(world: World) -> None:
    (write_plain(world) / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(AdapterRejected, match=r"adapter_model\.bin: may hold code"):
        await world.adapters.register("policy", "plain", foreign=True)


async def test_where_keys_are_trusted_it_must_be_signed(world: World, tmp_path: Path) -> None:
    await world.adapters.stop()
    ours = build(world.folder, world.engine, trusted=(make_key(tmp_path / "key"),))
    await ours.adapters.start()
    folder = write_plain(world)
    with pytest.raises(AdapterRejected, match=r"plain/signature\.json: only signed artefacts"):
        await ours.adapters.register("policy", "plain", foreign=True)
    world.write("plain")
    sign(folder, tmp_path / "key")
    (folder / MANIFEST).unlink()
    assert (folder / SIGNATURE).exists()
    with pytest.raises(AdapterRejected, match="nothing can be signed"):
        await ours.adapters.register("policy", "plain", foreign=True)
    await ours.adapters.stop()
