"""adapter_config.json: what PEFT can express and vLLM would refuse, ignore or apply in another way."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.artefact import CONFIG, PLAIN_INITS

_LARGEST = 1_000_000  # bytes
# key → (the values that mean "not used", what to do about any other)
_UNSERVED: dict[str, tuple[tuple[object, ...], str]] = {
    "bias": (("none",), "train with bias: none"),
    "use_dora": ((False, None), "DoRA is not served: `pointsman convert` merges it, or makes a LoRA of it"),
    "modules_to_save": ((None, []), "whole modules are not served: train without modules_to_save"),
    "lora_bias": ((False, None), "train without lora_bias"),
    "fan_in_fan_out": ((False, None), "the base's layers are not transposed: set it to false"),
    "layer_replication": ((None, []), "train without layer_replication"),
    "trainable_token_indices": ((None, [], {}), "trained tokens are not served: train without them"),
    "target_parameters": ((None, []), "name modules in target_modules instead"),
    "alora_invocation_tokens": ((None, []), "activated LoRA is not served"),
    "auto_map": ((None, {}), "code of an artefact is never run: remove it"),
    "use_qalora": ((False, None), "QALoRA is not served"),
    "use_bdlora": ((None, False), "block-diagonal LoRA is not served"),
}


@dataclass(frozen=True)
class PeftConfig:
    """The part of the file that the weights are compared with."""

    rank: int
    alpha: float
    rank_pattern: dict[str, int]
    target_modules: tuple[str, ...] | str  # names, or one regular expression
    base: str | None  # folder or hub id, as whoever trained it named the base

    def rank_of(self, module: str) -> int:
        """The rank that PEFT gives ``module``."""
        for pattern, rank in self.rank_pattern.items():
            if re.match(rf"(.*\.)?({pattern})$", module):
                return rank
        return self.rank

    @property
    def largest_rank(self) -> int:
        """Over all modules."""
        return max([self.rank, *self.rank_pattern.values()])


def read_config(folder: Path, shown: str, max_rank: int) -> tuple[PeftConfig | None, list[str]]:
    """The config in ``folder`` and everything that is wrong with it; None where it can't be compared."""
    path, shown = folder / CONFIG, f"{shown}/{CONFIG}"
    try:
        if path.stat().st_size > _LARGEST:
            return None, [f"{shown}: is larger than {_LARGEST} bytes; it is no adapter config"]
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None, [f"{shown}: no such file; save the adapter with PEFT's save_pretrained"]
    except OSError as exc:
        return None, [f"{shown}: can't be read: {exc.strerror}; put the file there"]
    except (ValueError, RecursionError):
        return None, [f"{shown}: is not JSON in UTF-8; save the adapter with PEFT's save_pretrained"]
    if not isinstance(data, dict):
        return None, [f"{shown}: is no JSON object"]
    config, problems = _parse(data, max_rank)
    return config, [f"{shown}: {problem}" for problem in problems]


def _parse(data: dict[str, Any], max_rank: int) -> tuple[PeftConfig | None, list[str]]:
    problems = [
        f"{key} is {_short(data[key])}; {fix}"
        for key, (unused, fix) in _UNSERVED.items()
        if key in data and data[key] not in unused
    ]
    if data.get("peft_type") != "LORA":
        problems.append(
            f"peft_type is {_short(data.get('peft_type'))}; only LORA is served: see `pointsman convert`"
        )
    problems += _init_problems(data.get("init_lora_weights", True))
    alpha = data.get("lora_alpha")
    if not _is_positive(alpha):
        problems.append(f"lora_alpha is {_short(alpha)}; it must be a number over 0")
    rank, pattern, modules = data.get("r"), data.get("rank_pattern") or {}, data.get("target_modules")
    ranks = {"r": rank} | {f"rank_pattern[{key!r}]": value for key, value in _items(pattern)}
    for name, value in ranks.items():
        if type(value) is not int or value < 1:
            problems.append(f"{name} is {_short(value)}; a rank is a whole number from 1")
        elif value > max_rank:
            problems.append(
                f"{name} is {value}, the engine was started for ranks up to {max_rank}; train with a lower "
                "rank, or raise engine.max_lora_rank and restart"
            )
    broken = [key for key, _ in _items(pattern) if not _is_expression(key)]
    problems += [f"rank_pattern[{key!r}] is no regular expression; correct it" for key in broken]
    if not (isinstance(modules, str) or _is_list_of_names(modules)) or not modules:
        problems.append(f"target_modules is {_short(modules)}; it must be a list of module names")
        return None, problems
    if broken or any(type(value) is not int or value < 1 for value in ranks.values()):
        return None, problems
    assert isinstance(rank, int)
    strength = float(alpha) if isinstance(alpha, int | float) and _is_positive(alpha) else 1.0
    names = modules if isinstance(modules, str) else tuple(modules)
    base = data.get("base_model_name_or_path")
    named = base if isinstance(base, str) else None
    return PeftConfig(rank, strength, dict(pattern), names, named), problems


def _init_problems(init: object) -> list[str]:
    if not isinstance(init, str) or init.lower() in PLAIN_INITS:
        return []
    return [
        f"init_lora_weights is {_short(init)}, which changed the base's own weights when training began; "
        "`pointsman convert` makes a plain LoRA of a run's result, PEFT's "
        "path_initial_model_for_weight_conversion of others"
    ]


def _items(pattern: object) -> list[tuple[str, object]]:
    return list(pattern.items()) if isinstance(pattern, dict) else [("", pattern)]


def _is_expression(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value) and value > 0


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
