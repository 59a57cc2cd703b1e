"""Whether the files of a model's weights are whole: by their headers, and where asked, number by number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from training.errors import BaseError, TrainingError

_INDEX = "*.safetensors.index.json"


def require(name: Path | str, what: str = "base", error: type[TrainingError] = BaseError) -> None:
    """Look at all safetensors files of the folder ``name``; a hub id's are not looked at.

    Args:
        name: folder or hub id.
        what: what it is, in words.
        error: what is raised.

    Raises:
        BaseError, or error: there is none, one is missing, is cut short or is no safetensors file.
    """
    folder = Path(name)
    if not folder.is_dir():
        return
    wrong = []
    files = set(folder.glob("*.safetensors"))
    for index in folder.glob(_INDEX):
        try:
            files |= {folder / file for file in json.loads(index.read_bytes())["weight_map"].values()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            wrong.append(f"{index} can't be read ({exc})")
    if not files:
        wrong.append("it holds no safetensors file")
    for file in sorted(files):
        try:
            with safe_open(file, "np"):
                pass
        except FileNotFoundError:
            wrong.append(f"{file} is missing")
        except (SafetensorError, OSError) as exc:
            wrong.append(f"{file} ({file.stat().st_size:,} bytes) is broken or cut short ({exc})")
    if wrong:
        raise error(f"{what} {name}: {'; '.join(wrong)}; copy it anew from where it came")


def refuse_not_finite(name: Path | str) -> None:
    """Look at all numbers of the base ``name``; a hub id's are not looked at.

    Raises:
        BaseError: one is NaN or infinite.
    """
    if broken := not_finite(name):
        raise BaseError(f"base {name}: {broken}; copy it anew from where it came, or train it anew")


def shapes(folder: Path | str) -> dict[str, tuple[int, ...]]:
    """Name → shape of what the safetensors files of ``folder`` hold, by their headers."""
    found: dict[str, tuple[int, ...]] = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(file, "np") as opened:
            found |= {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    return found


def not_finite(folder: Path | str) -> str | None:
    """Which weights in the safetensors files of ``folder`` hold what is no number; None: none does.

    One weight is held at a time, so what is read may be larger than the memory.
    """
    wrong = []
    for file in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            wrong += [name for name in opened.keys() if not _is_finite(opened.get_tensor(name))]  # noqa: SIM118
    if not wrong:
        return None
    more = f", as do {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{wrong[0]} holds a number that is NaN or infinite{more}"


def _is_finite(weight: Any) -> bool:
    """By its smallest and largest number, which are NaN where one is: 20 times as fast as a look at each."""
    if not weight.is_floating_point() or not weight.numel():
        return True
    whole = weight.float() if weight.element_size() == 1 else weight  # numbers of 8 bits are not compared
    return all(bool(end.isfinite()) for end in whole.aminmax())


def numbers(folder: Path) -> int:
    """How many numbers the safetensors files of ``folder`` hold, by their headers."""
    return sum(map(math.prod, shapes(folder).values()))


def misfits(held: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> str | None:
    """How the weights that files hold differ from those of the model that is to have them; None: they fit.

    Both are name → shape. Of each way to differ one weight is named.
    """
    wrong = []
    if missing := [name for name in wanted if name not in held]:
        wrong.append(f"{len(missing)} of {len(wanted)} weights are missing, as {missing[0]}")
    if other := [name for name in wanted if name in held and held[name] != wanted[name]]:
        found, said = (" × ".join(map(str, shape[other[0]])) for shape in (held, wanted))
        wrong.append(f"{len(other)} have another shape, as {other[0]}, {found} where {said} is said")
    if unknown := [name for name in held if name not in wanted]:
        wrong.append(f"{len(unknown)} are of another model, as {unknown[0]}")
    return "; ".join(wrong) or None
