"""Parcel numbers for the support desk's conversations, apart by split.

Which split a number or an address belongs to follows from its SHA-256, so the two can't meet however many
are drawn.
"""

from hashlib import sha256
from random import Random

from deploy.demo.text.sample import Split
from deploy.demo.tools import plain_id

_PREFIXES = ["PX", "PK", "NW", "QT", "LD", "RB", "HZ", "GX", "BM", "SV", "JD", "YT", "ZX", "EM", "RR", "CP"]
_TAKEN = frozenset({"TK", "CH"})  # begin tickets and references, not parcel numbers
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def parcel_id(rng: Random, split: Split) -> str:
    """A parcel number of the split: mostly two letters and six digits, sometimes another form."""
    while True:
        drawn = _any_id(rng)
        if split_of(plain_id(drawn)) == split:
            return drawn


def ill_formed_id(rng: Random) -> str:
    """Something that a user takes for a parcel number and the tools do not."""
    form = rng.randrange(4)
    if form == 0:
        return digits(rng, rng.randint(3, 12))
    if form == 1:
        return letters(rng, 2) + digits(rng, rng.randint(1, 4))
    if form == 2:
        return letters(rng, rng.randint(4, 6)) + digits(rng, rng.randint(2, 6))
    return digits(rng, 4) + letters(rng, 2) + digits(rng, 2)


def split_of(text: str) -> Split:
    """The split that ``text`` belongs to: one in five is held out.

    The hash is salted, because the tools hash the plain number too: unsalted, all parcels of one status
    would be held out.
    """
    return "held_out" if sha256(f"split {text}".encode()).digest()[0] % 5 == 0 else "train"


def _any_id(rng: Random) -> str:
    form = rng.random()
    prefix = rng.choice(_PREFIXES) if rng.random() < 0.4 else letters(rng, 2)
    if form < 0.66:
        drawn = prefix + digits(rng, 6)
    elif form < 0.74:
        drawn = prefix + digits(rng, rng.randint(7, 10))
    elif form < 0.82:
        drawn = letters(rng, 3) + digits(rng, rng.randint(6, 9))
    elif form < 0.89:
        drawn = prefix + digits(rng, 9) + letters(rng, 2)
    elif form < 0.92:
        drawn = letters(rng, 1) + digits(rng, rng.randint(6, 8))
    elif form < 0.97:
        drawn = prefix + "-" + digits(rng, 6)
    else:
        drawn = prefix + " " + digits(rng, 6)
    return drawn.lower() if rng.random() < 0.05 else drawn


def letters(rng: Random, count: int) -> str:
    """``count`` capitals that begin no ticket and no reference."""
    while True:
        drawn = "".join([_LETTERS[int(rng.random() * 26)] for _ in range(count)])
        if drawn not in _TAKEN:
            return drawn


def digits(rng: Random, count: int) -> str:
    """``count`` digits, the first of which may be 0."""
    return f"{int(rng.random() * 10**count):0{count}}"
