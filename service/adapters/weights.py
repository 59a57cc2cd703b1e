"""safetensors files without torch: the header, and how large the numbers are.

The format: eight bytes with the header's length N (little-endian), N bytes of JSON from tensor name to
dtype, shape and offsets, then the tensors' bytes, without gaps.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 100_000_000  # bytes; the limit of the reference implementation
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_MORE_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
FLOATS = frozenset(_BYTES)


class WeightsError(ValueError):
    """Not a safetensors file; says why, without the path."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int  # byte in the file
    end: int


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of the file by name; checks that they fill it exactly.

    Raises:
        WeightsError
        OSError
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            pickled = start[:2] in {b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"}
            raise WeightsError("it is a pickle" if pickled else "it is not a safetensors file")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        tensors = {
            str(name): _tensor(entry, 8 + length) for name, entry in header.items() if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise WeightsError("its header is not that of a safetensors file") from exc
    at = 8 + length
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.begin, tensor.end)):
        expected = math.prod(tensor.shape) * (_BYTES | _MORE_BYTES).get(tensor.dtype, 0)
        unknown = tensor.dtype not in _BYTES | _MORE_BYTES
        if tensor.begin != at or tensor.end < at or (not unknown and tensor.end - at != expected):
            raise WeightsError("its header does not fit its bytes")
        at = tensor.end
    if at != size:
        raise WeightsError(f"it is cut off or padded: {size} bytes where its header needs {at}")
    return tensors


def magnitudes(path: Path, tensors: dict[str, Tensor]) -> dict[str, float]:
    """The largest absolute number of each floating-point tensor; infinite where one is not a number."""
    import numpy as np

    content = np.memmap(path, dtype=np.uint8, mode="r")
    found = {}
    for name, tensor in tensors.items():
        if tensor.dtype not in _BYTES or tensor.begin == tensor.end:
            continue
        size = _BYTES[tensor.dtype]
        # without their signs, floating-point numbers are in the order of their bits, those that are none last
        bits = np.frombuffer(content[tensor.begin : tensor.end].tobytes(), f"<u{size}")
        largest = np.array([(bits & ((1 << 8 * size - 1) - 1)).max()])
        if tensor.dtype == "BF16":  # not known to numpy: the upper half of a float32
            number = float((largest.astype("<u4") << 16).view("<f4")[0])
        else:
            number = float(largest.view(f"<f{size}")[0])
        found[name] = number if math.isfinite(number) else math.inf
    return found


def _tensor(entry: Any, start: int) -> Tensor:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError("not a size")
    return Tensor(str(entry["dtype"]), shape, start + begin, start + end)
