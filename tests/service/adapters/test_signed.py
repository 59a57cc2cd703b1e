"""Where keys are trusted, only what one of them has signed is entered and loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pointsman.artefact import CONFIG, MANIFEST, SIGNATURE
from pointsman.signing import SigningError, make_key, sign, signer
from service.errors import AdapterRejected
from service.sections import AdapterSettings
from tests.service.adapters.artefacts import write_adapter, write_base
from tests.service.adapters.conftest import World, build


async def trusting(world: World, *keys: str) -> World:
    """The same gateway, started again with settings that trust these keys."""
    await world.adapters.stop()
    found = build(world.folder, world.engine, trusted=keys)
    await found.adapters.start()
    await found.bring_up()
    return found


async def test_only_what_a_trusted_key_has_signed_is_served(world: World, tmp_path: Path) -> None:
    ours, other = make_key(tmp_path / "ours.key"), make_key(tmp_path / "other.key")
    before = await world.register("support", 1)
    world = await trusting(world, ours)
    with pytest.raises(AdapterRejected, match=f"{before}/{SIGNATURE}: no such file, and only signed"):
        await world.adapters.promote("support", before)  # entered when nobody asked for a signature
    folder = world.folder / "adapters" / world.write("new", 2)
    with pytest.raises(AdapterRejected, match=r"new/signature\.json: no such file"):
        await world.adapters.register("support", "new")
    sign(folder, tmp_path / "other.key")
    with pytest.raises(AdapterRejected, match=f"signed by {other[:16]}.*not among adapters.trusted_keys"):
        await world.adapters.register("support", "new")
    assert sign(folder, tmp_path / "ours.key") == ours
    version = (await world.adapters.register("support", "new")).version
    await world.adapters.promote("support", version)
    assert (await world.adapters.show("support", version)).signed_by == ours
    sign(world.folder / "adapters" / "support-1", tmp_path / "ours.key")
    await world.adapters.register("support", "support-1")  # the copy gets its signature
    await world.adapters.promote("support", before)
    await world.adapters.stop()


async def test_a_manifest_that_was_changed_later_is_not_loaded(world: World, tmp_path: Path) -> None:
    world = await trusting(world, make_key(tmp_path / "key"))
    folder = world.folder / "adapters" / world.write("new", 2)
    sign(folder, tmp_path / "key")
    version = (await world.adapters.register("support", "new")).version
    path = world.folder / "state" / "adapters" / f"support@{version}" / MANIFEST
    path.write_text(path.read_text("utf-8").replace("1.5", "0.5"), "utf-8")  # a better loss than it has
    with pytest.raises(AdapterRejected, match="the signature is not of these bytes"):
        await world.adapters.promote("support", version)
    await world.adapters.stop()


def test_a_signature_holds_for_these_bytes_alone(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "adapter", write_base(tmp_path / "base"))
    assert signer(folder) is None
    public = make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert sign(folder, tmp_path / "key") == signer(folder) == public
    first = (folder / SIGNATURE).read_bytes()
    sign(folder, tmp_path / "key")
    assert (folder / SIGNATURE).read_bytes() == first
    with pytest.raises(SigningError, match="is there already"):
        make_key(tmp_path / "key")
    with pytest.raises(SigningError, match="is no private key"):
        sign(folder, folder / CONFIG)
    with pytest.raises(SigningError, match="can't be read"):
        sign(folder, tmp_path / "nowhere")
    (folder / SIGNATURE).write_text(json.dumps({"key": public, "signature": "zz"}), "utf-8")
    with pytest.raises(SigningError, match="is no signature"):
        signer(folder)


def test_a_trusted_key_is_one(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="trusted_keys"):
        AdapterSettings(folder=tmp_path, trusted_keys=("release.key",))
