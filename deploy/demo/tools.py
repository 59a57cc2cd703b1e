"""The tools of the demo's parcel desk: three pure functions over parcel numbers.

There is no database behind them. Every fact about a parcel follows from the SHA-256 of its number, so any
well-formed number has one true answer, today and on any machine. A number is one to three letters, six to
ten digits and perhaps two letters of a country (``PX482913``, ``PX-482913``, ``RR482913765CN``); case, a
space and a hyphen do not matter. A ``ValueError`` is meant to be shown to the model.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Literal, get_args

Status = Literal["in_transit", "out_for_delivery", "delivered", "held_at_customs", "waiting_for_pickup"]
Reason = Literal["damaged", "lost", "late", "wrong_item"]

STATUSES: tuple[Status, ...] = get_args(Status)
REASONS: tuple[Reason, ...] = get_args(Reason)
CITIES = (
    "Amsterdam", "Athens", "Beijing", "Berlin", "Dublin", "Hamburg", "Leeds", "London",
    "Lyon", "Madrid", "Milan", "Oslo", "Paris", "Prague", "Shanghai", "Vienna",
)  # fmt: skip

_NUMBER = re.compile(r"[A-Z]{1,3}\d{6,10}([A-Z]{2})?")
_FIRST_DAY = date(2026, 1, 1)


def track_parcel(parcel_id: str) -> dict[str, Any]:
    """Find where a parcel is: its status, its city and the day it is expected.

    Args:
        parcel_id: the parcel number, for example PX482913
    """
    facts = _digest(parcel_id)
    return {
        "parcel_id": parcel_id.strip(),
        "status": STATUSES[facts[0] % len(STATUSES)],
        "city": CITIES[facts[1] % len(CITIES)],
        "expected": (_FIRST_DAY + timedelta(days=int.from_bytes(facts[2:6]) % 365)).isoformat(),
    }


def change_address(parcel_id: str, address: str) -> dict[str, Any]:
    """Send a parcel that is not yet delivered to another address.

    Args:
        parcel_id: the parcel number, for example PX482913
        address: the whole new address
    """
    facts = _digest(parcel_id)
    if not address.strip():
        raise ValueError("the new address is empty")
    if STATUSES[facts[0] % len(STATUSES)] == "delivered":
        raise ValueError(f"parcel {parcel_id.strip()} was delivered and cannot be redirected")
    number = int.from_bytes(sha256(facts + address.strip().encode()).digest()[:6]) % 10**6
    return {
        "parcel_id": parcel_id.strip(),
        "address": address.strip(),
        "confirmed": True,
        "reference": f"CH-{number:06}",
    }


def open_complaint(parcel_id: str, reason: Reason) -> dict[str, Any]:
    """Open a complaint about a parcel that is damaged, lost, late or holds the wrong item.

    Args:
        parcel_id: the parcel number, for example PX482913
        reason: what is wrong
    """
    facts = _digest(parcel_id)
    if reason not in REASONS:
        raise ValueError(f"reason must be one of {', '.join(REASONS)}, found {reason!r}")
    number = int.from_bytes(sha256(facts + reason.encode()).digest()[:6]) % 10**7
    return {"ticket": f"TK{number:07}", "reason": reason, "answer_within_days": 2}


def is_parcel_id(text: str) -> bool:
    """Whether ``text`` has the form of a parcel number."""
    return _NUMBER.fullmatch(plain_id(text)) is not None


def plain_id(parcel_id: str) -> str:
    """The number in capitals, without the space or hyphen that people write in it."""
    return parcel_id.strip().upper().replace("-", "").replace(" ", "")


def _digest(parcel_id: str) -> bytes:
    """The 32 bytes that every fact about the parcel is read from."""
    plain = plain_id(parcel_id)
    if _NUMBER.fullmatch(plain) is None:
        raise ValueError(
            f"{parcel_id.strip()!r} is not a parcel number: expected letters, then six to ten digits"
        )
    return sha256(plain.encode()).digest()
