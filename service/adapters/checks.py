"""What is looked at before the engine sees an adapter. All problems at once, each with file, value and fix.

Reads files and nothing else: no torch, no unpickling, no code of the artefact.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pointsman.artefact import (
    ALIAS_FORM,
    CONFIG,
    MANIFEST,
    SERVED,
    SIGNATURE,
    WEIGHTS,
    ArtefactError,
    Manifest,
    is_served_alias,
    read_manifest,
    version_of,
)
from pointsman.signing import mistrust
from service.adapters.base import Base
from service.adapters.foreign import foreign_manifest
from service.adapters.matrices import weights_problems
from service.adapters.peft_config import read_config
from service.errors import AdapterRejected

_CODE = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".pyc", ".so"}
NO_FOLDER = "no such folder in the adapters folder"
_UNSIGNED = "only signed artefacts are served here, and without manifest.json nothing can be signed"
_FOREIGN = ", and POST /v1/load_lora_adapter makes one for what another trainer saved"
_IDENTITY = {  # what differs → what to do
    "weights": "it was trained on another base; train it on the one that is served",
    "tokenizer": "it was trained with another tokenizer.json; train it with the base's",
    "chat_template": "it was trained with another chat template; train it with the base's",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """An artefact that may be registered."""

    folder: str  # below the adapters folder
    version: str
    rank: int
    manifest: Manifest


def check_alias(alias: str, base_name: str) -> None:
    """Refuse what can't be a name.

    Raises:
        AdapterRejected
    """
    if not is_served_alias(alias):
        raise AdapterRejected([f"the alias {alias[:80]!r} is not {ALIAS_FORM}"])
    if alias in {"auto", base_name}:
        raise AdapterRejected([f"the alias {alias!r} already means something else; choose another"])


def locate(root: Path, folder: str) -> Path:
    """The artefact's folder: a path relative to ``root``, or an absolute one inside it.

    Raises:
        AdapterRejected: it leaves ``root``, also by a link, or is no folder.
    """
    try:
        root = root.resolve()
        path = (root / folder).resolve()
        inside = path != root and path.is_relative_to(root)
        found = inside and path.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL byte, a loop of links
        inside = found = False
    if not inside:
        raise AdapterRejected([f"{folder[:200]!r} is not inside the adapters folder; put the artefact there"])
    if not found:
        raise AdapterRejected([f"{folder[:200]!r}: {NO_FOLDER}"])
    return path


def check(
    root: Path,
    folder: str,
    base: Base,
    max_rank: int,
    trusted: Collection[str] = (),
    *,
    foreign: str | None = None,
) -> Checked:
    """Look at everything in the artefact ``folder`` below ``root``; ``trusted`` keys sign it, if there are.

    One without a manifest is taken if it is to be ``foreign``, an alias: a manifest is made for it.

    Raises:
        AdapterRejected: with every problem.
    """
    path = locate(root, folder)
    shown = str(path.relative_to(root.resolve()))
    problems = [f"{shown}/{problem}" for problem in _file_problems(path, root.resolve())]
    if problems:  # nothing of it is read then
        raise AdapterRejected(problems)
    bare = not (path / MANIFEST).exists()
    manifest = None
    unread: list[str] = []
    try:
        manifest = None if bare and foreign is not None else read_manifest(path)
    except (ArtefactError, OSError, ValueError) as exc:
        unread = [str(exc).replace(str(path), shown) + (_FOREIGN if bare else "")]
    if manifest is not None and manifest.method not in SERVED:  # whatever else it holds is no LoRA
        raise AdapterRejected([f"{shown}/manifest.json: {_unserved(manifest)}"])
    config, problems = read_config(path, shown, max_rank)
    problems += unread
    if bare and foreign is not None and config is not None:
        manifest = foreign_manifest(foreign, config.base, base)
    if manifest is not None:
        problems += [f"{shown}/manifest.json: {problem}" for problem in _identity_problems(manifest, base)]
    if manifest is not None and config is not None and config.base not in (None, "", manifest.base_model):
        problems.append(  # whichever is served: that is known by its hash alone
            f"{shown}/{CONFIG}: base_model_name_or_path is {config.base[:80]!r}, and manifest.json has the "
            f"base {manifest.base_model[:80]!r}: they are not of one training; train it again"
        )
    problems += [
        f"{shown}/{WEIGHTS}: {problem}" for problem in weights_problems(path / WEIGHTS, config, base)
    ]
    if not problems and (
        why := _UNSIGNED if bare and trusted else mistrust(path, trusted)
    ):  # of whole artefacts: all of it is read
        problems = [f"{shown}/{SIGNATURE}: {why}"]
    if problems or config is None or manifest is None:
        raise AdapterRejected(problems)
    return Checked(shown, version_of(path), config.largest_rank, manifest)


def _file_problems(folder: Path, root: Path) -> list[str]:
    problems = []
    for place, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = Path(place, name)
            relative = path.relative_to(folder)
            if not path.resolve().is_relative_to(root):
                problems.append(
                    f"{relative}: links to outside the adapters folder; put the file itself there"
                )
            elif path.suffix.lower() in _CODE:
                problems.append(f"{relative}: may hold code ({path.suffix}); remove it, keep the safetensors")
            elif name in files and not path.is_file():
                problems.append(f"{relative}: is no regular file; remove it")
    return problems


def _unserved(manifest: Manifest) -> str:
    if manifest.method == "gptq":
        return "method is gptq, whose result is a base of its own, not an adapter: serve it as engine.model"
    what = "a base of its own, not an adapter" if manifest.method in ("full", "freeze") else "no plain LoRA"
    return (
        f"method is {manifest.method}, whose result is {what}; `pointsman convert` makes one that is served, "
        "and says what it costs"
    )


def _identity_problems(manifest: Manifest, base: Base) -> list[str]:
    if manifest.base is None:
        return ["base is null: it is not known which base the adapter was trained on; train it again"]
    trained, served = manifest.base.model_dump(), base.identity.model_dump()
    return [
        f"base.{part} is {trained[part][:12]}..., the served base's is {served[part][:12]}...; {fix}"
        for part, fix in _IDENTITY.items()
        if trained[part] != served[part]
    ]
