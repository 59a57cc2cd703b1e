"""What is looked at in an adapter's weights: names, shapes, numbers, and whether they can change anything.

Reads the file's header and goes over its numbers once: no torch, no unpickling.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from service.adapters.base import Base
from service.adapters.peft_config import PeftConfig
from service.adapters.weights import FLOATS, Tensor, WeightsError, magnitudes, read_header

_MATRIX = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_STRONGEST = 1e6  # of A, B and alpha together; those of trained adapters are under 1e3
_SHOWN = 3  # examples of a problem that many tensors have


def weights_problems(path: Path, config: PeftConfig | None, base: Base) -> list[str]:
    """Everything that is wrong with the safetensors file ``path``, by its ``config`` and the ``base``."""
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
