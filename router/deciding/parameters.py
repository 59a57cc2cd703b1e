"""Parameters of a route: values that declared patterns find in what the user said, an order's number say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from router.deciding.rules import plain, search
from router.text.conversation import Turn

MOST = 200  # characters of a value

Parameters = Mapping[str, re.Pattern[str]]


def extract(parameters: Parameters, turns: Sequence[Turn]) -> dict[str, str]:
    """The value of each of ``parameters`` that is found: in the latest turn that has it, the first there.

    The value is the pattern's first group that takes part, or all that it matches where it has no group.
    Later turns come first because a user who names another order means that one.
    """
    texts = [plain(turn.whole) for turn in reversed(turns)] if parameters else []
    found = {}
    for name, pattern in parameters.items():
        for text in texts:
            value = _value(search(pattern, text))
            if value:
                found[name] = value
                break
    return found


def _value(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    groups = match.groups()
    value = next((group for group in groups if group), "") if groups else match[0]
    return value.strip()[:MOST]
