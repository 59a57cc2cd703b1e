"""Pages of a parcel depot's log book: a jargon that the demo's base has never read, for cpt.

Each line is what a clerk writes at the dock: time, parcel or lane, what happened in their short forms. A page
keeps its own count: its last line says how many parcels came in, went out and are held.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

from deploy.demo.text import parcels, pools

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHIFTS = (("early", 6), ("late", 14), ("night", 22))  # and the hour at which each begins
_DAMAGE = ("crnr crushed", "wet undrside", "seam split", "strap torn", "label smudgd", "dent lft side")
_STATE = ("cntnts dry", "cntnts ok", "cntnts rattle", "cntnts nt chckd")
_LATE = ("trlr late", "drvr off sick", "belt 2 down", "scnr frozen", "fog on ring rd", "gate stuck")


def log_pages(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """``rows`` pages of the log book, as ``{"text": ...}``."""
    rng = Random(f"depot {seed}")
    for _ in range(rows):
        yield {"text": page(rng)}


def page(rng: Random) -> str:
    """One shift: a heading, the shift's events by time, and the count."""
    shift, hour = pools.pick(rng, _SHIFTS)
    day = pools.day(rng, "train")
    clerks = [pools.given(rng, "train") for _ in range(2)]
    lines = [
        f"DEPOT LOG {_WEEKDAYS[day.weekday()]} {day:%d.%m.%Y} / {shift} shft / clk {clerks[0]}, {clerks[1]}"
    ]
    count = {"rcvd": 0, "dsptchd": 0, "hld": 0}
    minute = 60 * hour
    for _ in range(6 + int(rng.random() * 9)):
        minute += 3 + int(rng.random() * 30)
        kind = pools.pick(rng, ("rcvd", "rcvd", "rcvd", "lane", "lane", "hld", "hld", "missort", "note"))
        text, moved = _event(rng, kind)
        for name, number in moved.items():
            count[name] += number
        lines.append(f"{minute // 60 % 24:02d}:{minute % 60:02d} {text}")
    lines.append(f"shft end: {', '.join(f'{number} {name}' for name, number in count.items())}")
    return "\n".join(lines)


def _event(rng: Random, kind: str) -> tuple[str, dict[str, int]]:
    """A line without its time, and the parcels that it moves."""
    number = parcels.parcel_id(rng, "train")
    town = pools.city(rng, "en", "train")
    dock = 1 + int(rng.random() * 6)
    match kind:
        case "rcvd":
            weight = 0.2 + rng.random() * 24
            return f"{number} rcvd dck {dock}, {weight:.1f} kg, scn ok, to lane {town}", {"rcvd": 1}
        case "lane":
            load = 4 + int(rng.random() * 90)
            seal = 1000 + int(rng.random() * 9000)
            driver = pools.given(rng, "train")
            return f"lane {town} clsd, {load} prcls, seal {seal}, drvr {driver}", {"dsptchd": load}
        case "hld":
            damage, state = pools.pick(rng, _DAMAGE), pools.pick(rng, _STATE)
            return f"{number} dmgd: {damage}, {state}; pht tkn, hld fr dsk", {"hld": 1}
        case "missort":
            other = pools.city(rng, "en", "train")
            return f"{number} mssrt: lbl {town}, fnd in lane {other}; rlblld, bck to dck {dock}", {}
    delay = 5 * (1 + int(rng.random() * 12))
    return f"{pools.pick(rng, _LATE)}, lane {town} + {delay} min; dsk infrmd", {}
