"""Patterns as XGrammar reads them right.

XGrammar 0.2.8 lets a part that may be left out begin in its middle: ``^a([.][0-9]+)?Z$`` takes "a1Z".
Counted, ``^a([.][0-9]+){0,1}Z$``, it does not. Of 150 patterns made by chance nine were read wrong, and one
is then. It makes no grammar of a part that is counted over 128 times: ``[a-z]{1,255}``. In two parts, as
``[a-z]{1,128}[a-z]{0,127}``, it does.
"""

from __future__ import annotations

import re

_MOST = 128  # times that a part is counted
_TOKENS = re.compile(
    r"(?P<count>\{(?P<least>\d+)(?P<more>,(?P<most>\d*))?\}|[?*+])(?P<lazy>[?+]?)"
    r"|(?P<opened>\((?:\?[:=!]|\?<[=!]|\?P?<\w+>)?)|(?P<closed>\))|(?P<way>\|)"
    r"|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[A-Za-z]|[pPu]\{[^}]*\}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.",
    re.DOTALL,
)


def counted(pattern: str) -> str:
    """``pattern`` with groups that may be left out counted, and with no count over what is taken."""
    levels: list[list[str]] = [[]]  # the parts of each group that is open
    for found in _TOKENS.finditer(pattern):
        parts = levels[-1]
        if found["opened"]:
            levels.append([found[0]])
        elif found["closed"] and len(levels) > 1:
            group = "".join([*levels.pop(), ")"])
            levels[-1].append(group)
        elif found["count"] and parts:
            parts[-1] = _times(parts[-1], found)
        else:
            parts.append(found[0])
    return "".join("".join(level) for level in levels)


def _times(part: str, found: re.Match[str]) -> str:
    if found["count"] == "?" and part.endswith(")") and part.startswith("("):
        return f"{part}{{0,1}}{found['lazy']}"
    if found["least"] is None:
        return part + found[0]
    least = int(found["least"])
    most = least if found["more"] is None else int(found["most"]) if found["most"] else None
    if max(least, most or 0) <= _MOST:
        return part + found[0]
    pieces: list[str] = []
    while max(least, most or 0) > _MOST:
        low, high = min(least, _MOST), None if most is None else _MOST
        pieces.append(f"{part}{{{low}}}" if high in (None, low) else f"{part}{{{low},{high}}}")
        least, most = least - low, None if most is None else most - _MOST
    rest = str(least) if most == least else f"{least},{'' if most is None else most}"
    return "".join([*pieces, f"{part}{{{rest}}}"])
