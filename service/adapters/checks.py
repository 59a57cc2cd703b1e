"""What is looked at before the engine sees an adapter. All problems at once, each with file, value and fix.

Reads files and nothing else: no torch, no unpickling, no code of the artefact.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pointsman.artefact import (
    ALIAS,
    CONFIG,
    SERVED,
    SIGNATURE,
    WEIGHTS,
    ArtefactError,
    Manifest,
    read_manifest,
    version_of,
)
from pointsman.signing import mistrust
from service.adapters.base import Base
from service.adapters.peft_config import PeftConfig, read_config
from service.adapters.weights import FLOATS, Tensor, WeightsError, magnitudes, read_header
from service.errors import AdapterRejected

_CODE = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".pyc", ".so"}
_MATRIX = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_STRONGEST = 1e6  # of A, B and alpha together; those of trained adapters are under 1e3
NO_FOLDER = "no such folder in the adapters folder"
_SHOWN = 3  # examples of a problem that many tensors have
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
    if not ALIAS.fullmatch(alias):
        raise AdapterRejected(
            [f"the alias {alias[:80]!r} is not 1 to 63 of a-z, 0-9, - and _, with a letter or digit first"]
        )
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


def check(root: Path, folder: str, base: Base, max_rank: int, trusted: Collection[str] = ()) -> Checked:
    """Look at everything in the artefact ``folder`` below ``root``; ``trusted`` keys sign it, if there are.

    Raises:
        AdapterRejected: with every problem.
    """
    path = locate(root, folder)
    shown = str(path.relative_to(root.resolve()))
    problems = [f"{shown}/{problem}" for problem in _file_problems(path, root.resolve())]
    if problems:  # nothing of it is read then
        raise AdapterRejected(problems)
    manifest = None
    unread: list[str] = []
    try:
        manifest = read_manifest(path)
    except (ArtefactError, OSError, ValueError) as exc:
        unread = [str(exc).replace(str(path), shown)]
    if manifest is not None and manifest.method not in SERVED:  # whatever else it holds is no LoRA
        raise AdapterRejected([f"{shown}/manifest.json: {_unserved(manifest)}"])
    config, problems = read_config(path, shown, max_rank)
    problems += unread
    if manifest is not None:
        problems += [f"{shown}/manifest.json: {problem}" for problem in _identity_problems(manifest, base)]
    if manifest is not None and config is not None and config.base not in (None, "", manifest.base_model):
        problems.append(  # whichever is served: that is known by its hash alone
            f"{shown}/{CONFIG}: base_model_name_or_path is {config.base[:80]!r}, and manifest.json has the "
            f"base {manifest.base_model[:80]!r}: they are not of one training; train it again"
        )
    problems += [
        f"{shown}/{WEIGHTS}: {problem}" for problem in _weights_problems(path / WEIGHTS, config, base)
    ]
    if not problems and (why := mistrust(path, trusted)):  # of whole artefacts: all of it is read
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


def _weights_problems(path: Path, config: PeftConfig | None, base: Base) -> list[str]:
    try:
        tensors = read_header(path)
    except FileNotFoundError:
        return ["no such file; save the adapter with safe_serialization=True"]
    except OSError as exc:
        return [f"can't be read: {exc.strerror}; put the file there"]
    except WeightsError as exc:
        return [f"{exc}; save the adapter with safe_serialization=True"]
    if not tensors:
        return ["holds no tensor"]
    pairs: dict[str, dict[str, Tensor]] = {}
    foreign, dtypes = [], []
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            dtypes.append(f"{name} ({tensor.dtype})")
        if (match := _MATRIX.fullmatch(name)) is None:
            foreign.append(name)
        else:
            pairs.setdefault(match["module"], {})[match["side"]] = tensor
    sizes = magnitudes(path, tensors)
    broken = [name for name, size in sizes.items() if not math.isfinite(size)]
    problems = _listed("not LoRA matrices of linear layers", foreign, "train LoRA on linear layers only")
    problems += _listed("not floating point", dtypes, "save it as float32 or bfloat16")
    problems += _listed("holds NaN or infinity", broken, "the training diverged: train again")
    missing = [module for module in pairs if module not in base.modules]
    problems += _listed("modules that the base does not have", missing, "train it on the served base")
    if config is not None:
        problems += _shape_problems(pairs, config, base) + _target_problems(pairs, config)
        problems += _size_problems(sizes, config)
    return problems + _effect_problems(sizes)


def _shape_problems(pairs: dict[str, dict[str, Tensor]], config: PeftConfig, base: Base) -> list[str]:
    halves, wrong = [], []
    for module, pair in pairs.items():
        if len(pair) < 2:
            halves.append(f"{module} has only lora_{next(iter(pair))}")
        if module not in base.modules:
            continue
        rank, (out, into) = config.rank_of(module), base.modules[module]
        for side, expected in (("A", (rank, into)), ("B", (out, rank))):
            if side in pair and pair[side].shape != expected:
                wrong.append(f"{module}.lora_{side} is {list(pair[side].shape)}, expected {list(expected)}")
    return _listed("half a pair of matrices", halves, "save the adapter again") + _listed(
        "shapes that fit neither the base nor adapter_config.json", wrong, "train it on the served base"
    )


def _size_problems(sizes: dict[str, float], config: PeftConfig) -> list[str]:
    """Pairs whose product is so large that the engine's numbers would run over.

    What runs over in one request stays in the engine's cache, and spoils the answers of others: vLLM must
    not see it.
    """
    found = []
    for name, size in sizes.items():
        other = sizes.get(name.replace(".lora_A.", ".lora_B."), 0.0)
        strength = size * other * config.alpha
        if ".lora_A." in name and math.isfinite(size) and math.isfinite(other) and strength > _STRONGEST:
            found.append(f"{name.removesuffix('.lora_A.weight')} ({strength:.1e})")
    what = f"largest A · largest B · lora_alpha over {_STRONGEST:.0e}"
    return _listed(what, found, "the training diverged: train again")


def _effect_problems(sizes: dict[str, float]) -> list[str]:
    """Each A is multiplied with its B: where one of every two is zero, the base's answers would be served."""
    sides = [(size, sizes.get(name.replace(".lora_A.", ".lora_B."))) for name, size in sizes.items()]
    pairs = [(a, b) for a, b in sides if b is not None]
    if not pairs or any(a and b for a, b in pairs):
        return []
    zero = "A and B are" if not any(a or b for a, b in pairs) else "A or B is"
    return [f"{zero} zero in every layer, so it would change nothing: it was never trained; train it"]


def _target_problems(pairs: dict[str, dict[str, Tensor]], config: PeftConfig) -> list[str]:
    targets = config.target_modules
    if isinstance(targets, str):
        return []
    unmet = [t for t in targets if not any(module == t or module.endswith(f".{t}") for module in pairs)]
    return _listed(
        "target_modules of adapter_config.json without a matrix", unmet, "name the modules that the base has"
    )


def _listed(what: str, found: list[str], fix: str) -> list[str]:
    """One sentence for a problem that many tensors have, with the first few."""
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{what}: {', '.join(name[:200] for name in found[:_SHOWN])}{more}; {fix}"]
