"""An intent's name as one would say it: what it says of the intent counts as one of its texts.

With five examples an intent that is worth two points of right decisions, with twenty nothing (docs/log.md).
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")


def spoken(intent: str) -> str:
    """The words of ``intent``, ``card payment fee`` of ``card_payment-fee``; empty if it has none."""
    return " ".join(_WORD.findall(intent))
