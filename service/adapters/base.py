"""The base that is served: who it is, and which matrices an adapter can change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pointsman.artefact import (
    BASE_WEIGHTS_PATTERN,
    ArtefactError,
    BaseIdentity,
    identify_base,
    read_manifest,
    write_atomically,
)
from service.adapters.weights import WeightsError, read_header
from service.errors import AdapterConflict
from service.sections import EngineSettings

_WEIGHT = ".weight"
_PACKED = ".qweight"  # of a layer in GPTQ's form, (in × bits / 32, out)
_QUANTIZED = "quantize"  # the stage of a base's manifest
_EMBEDDINGS = ("embed_tokens", "lm_head")  # no adapter on these is served: see :func:`read_base`
_CACHE = "base.json"


@dataclass(frozen=True)
class Base:
    """What an adapter is compared with."""

    name: str  # as the settings have it
    identity: BaseIdentity  # of the base that adapters for it are trained on
    modules: Mapping[str, tuple[int, int]]  # linear layer → (out, in)


class ServedBase:
    """The base, read once, when it is first asked for: vLLM may have to download it before."""

    def __init__(self, settings: EngineSettings, state: Path) -> None:
        self._settings = settings
        self._state = state
        self._base: Base | None = None
        self._reading = asyncio.Lock()

    async def read(self) -> Base:
        """The base.

        Raises:
            AdapterConflict: it can't be read here.
        """
        async with self._reading:
            if self._base is None:
                self._base = await asyncio.to_thread(read_base, self._settings, self._state)
            return self._base


def read_base(settings: EngineSettings, state: Path) -> Base:
    """The base of the settings; hashes every byte of it once and remembers that in the folder ``state``.

    Embeddings are left out of the modules: in a base with tied embeddings one matrix stands for two, and
    PEFT and vLLM do not agree on what an adapter on it means. A base that stage quantize has made goes by the
    weights of the one that it was made from, as adapters are trained on those.

    Raises:
        AdapterConflict: the base can't be read here.
    """
    folder = settings.folder or _in_hub_cache(settings.model)
    try:
        tensors = {
            name: tensor.shape
            for path in sorted(folder.glob(BASE_WEIGHTS_PATTERN))
            for name, tensor in read_header(path).items()
            if len(tensor.shape) == 2
        }
        identity = _identity(folder, state / _CACHE)
        modules = {
            name.removesuffix(_WEIGHT): (out, into)
            for name, (out, into) in tensors.items()
            if name.endswith(_WEIGHT)
        } | _packed(tensors, folder)
    except (ArtefactError, WeightsError, OSError) as exc:
        raise AdapterConflict(f"the base {settings.model} can't be read: {exc}") from exc
    linear = {name: shape for name, shape in modules.items() if name.rsplit(".", 1)[-1] not in _EMBEDDINGS}
    return Base(settings.model, identity, linear)


def _packed(tensors: Mapping[str, tuple[int, ...]], folder: Path) -> dict[str, tuple[int, int]]:
    """The layers in GPTQ's form, layer → (out, in)."""
    packed = {name: shape for name, shape in tensors.items() if name.endswith(_PACKED)}
    if not packed:
        return {}
    try:
        config = json.loads((folder / "config.json").read_bytes())
        bits = int(config["quantization_config"]["bits"])
        return {name.removesuffix(_PACKED): (out, rows * 32 // bits) for name, (rows, out) in packed.items()}
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as exc:
        raise ArtefactError(
            f"{folder}/config.json: the weights are in GPTQ's form, and quantization_config does not say in "
            "how many bits"
        ) from exc


def _in_hub_cache(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except LocalEntryNotFoundError as exc:
        raise AdapterConflict(
            f"the base {model} is not on this machine yet; adapters are checked against it, so wait until "
            "the engine has downloaded it"
        ) from exc


def _identity(folder: Path, cache: Path) -> BaseIdentity:
    files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".jinja"})
    stamps = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    try:
        known = json.loads(cache.read_bytes())
        if known["files"] == stamps:
            return BaseIdentity.model_validate(known["identity"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        pass
    identity = identify_base(folder)
    if (origin := _origin(folder)) is not None:
        identity = identity.model_copy(update={"weights": origin.weights})
    cache.parent.mkdir(parents=True, exist_ok=True)
    content = {"files": stamps, "identity": identity.model_dump()}
    write_atomically(cache, json.dumps(content, indent=2).encode())
    return identity


def _origin(folder: Path) -> BaseIdentity | None:
    """The base that the one in ``folder`` was quantised from; None where it was not, or nobody knows."""
    try:
        manifest = read_manifest(folder)
    except ArtefactError:
        return None
    return manifest.base if manifest.stage == _QUANTIZED else None
