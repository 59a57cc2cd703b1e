"""``python -m deploy.bench.scheduling`` simulates and writes the figures of docs/scheduling-figures.md.

The scheduler is the gateway's own; the engine is the model of ``engine_model``. Some minutes on one core; the
same seeds give the same numbers on every machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deploy.bench.engine_model import fitted
from deploy.bench.simulation import Outcome, PassOver, Traffic, simulate
from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Policy

BEGIN, END = "<!-- figures: written by deploy/bench/scheduling.py -->", "<!-- end of figures -->"
ANSWERS = (32, 224)  # tokens; 128 on average, as measured, but not all ending in the same step
LONG_ANSWERS = (900, 2_600)  # tokens; 10 to 30 s
SEEDS = (1, 2, 3)
MANY_SEEDS = (7, 4242)


def main() -> None:
    """Write the pictures and the tables."""
    parser = argparse.ArgumentParser(description="The figures of docs/scheduling-figures.md.")
    parser.add_argument("--page", type=Path, default=Path("docs/scheduling-figures.md"))
    page: Path = parser.parse_args().page
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n\n".join([fit(), depth(page.parent), many(), callers(), overload()])
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", "utf-8")


def fit() -> str:
    """How well the model gives the measured rows again."""
    lines = [
        ("base", "69 to 84", Traffic(0, clients=64)),
        ("1 adapter", "63", Traffic(1, clients=64)),
        ("4 adapters", "58 to 60", Traffic(4, clients=64)),
        ("16 adapters", "43 to 44", Traffic(16, clients=64)),
        ("16 adapters, 256 requests sorted", "60", Traffic(16, 256, clients=64, in_order=True)),
    ]
    found = [
        [name, measured, f"{simulate(FirstCome(), traffic).throughput:.1f}"]
        for name, measured, traffic in lines
    ]
    return _table(
        "**The model beside the measurements**, requests/s; the first, second and fourth row were fitted.",
        ["traffic", "measured", "model"],
        found,
    )


def depth(folder: Path) -> str:
    """What grouping gives, by how many clients there are for 64 slots."""
    clients = (64, 96, 128, 192, 256, 384)
    policies: dict[str, Callable[[], Policy]] = {
        "first come": FirstCome,
        **{f"affinity, {extra} s": lambda extra=extra: Affinity(extra) for extra in (1, 2, 4, 8)},  # type: ignore[misc]
    }
    runs = {
        name: [[simulate(make(), _closed(count, seed)) for seed in SEEDS] for count in clients]
        for name, make in policies.items()
    }
    _draw_depth(folder / "scheduling-depth.png", clients, runs)
    rows = []
    for name, found in runs.items():
        cells = []
        for outcomes, plain in zip(found, runs["first come"], strict=True):
            ratios = [a.throughput / b.throughput for a, b in zip(outcomes, plain, strict=True)]
            cells.append(f"{_mean(one.throughput for one in outcomes):.1f} ({np.mean(ratios):.2f})")
        rows.append([name, *cells])
    waits = [
        [
            name,
            *(
                f"{_mean(_percentile(o.waits(), 99) for o in outcomes):.1f} / "
                f"{_mean(_percentile(o.late(), 99) for o in outcomes):.1f}"
                for outcomes in found
            ),
        ]
        for name, found in runs.items()
    ]
    heads = ["policy", *(f"{count} clients" for count in clients)]
    return "\n\n".join(
        [
            _table("**16 adapters alike, requests/s** (and by first come's):", heads, rows),
            _table("**The same, seconds at p99: waited / later than in strict turn.**", heads, waits),
            "![throughput, adapters in the batch and waits by the number of clients](scheduling-depth.png)",
            _assumed(),
        ]
    )


def _assumed() -> str:
    """What the assumption about a request more does to the gain."""
    cells = []
    for share in (0.0, 0.25, 0.5):
        engine = fitted(base=76.5, one=63, many=43.5, count=16, share=share)
        plain, grouped = (
            simulate(policy, _closed(256, 1), engine) for policy in (FirstCome(), Affinity(2.0))
        )
        cells.append(f"{grouped.throughput / plain.throughput:.2f} at {share:.0%}")
    return (
        "How much of the base's step its 64 requests add is assumed (25 %). With 256 clients and 2 s the "
        "gain is " + ", ".join(cells) + "."
    )


def many() -> str:
    """More adapters than places."""
    rows = []
    policies: tuple[tuple[str, Callable[[], Policy]], ...] = (
        ("first come, nobody passes", FirstCome),
        ("first come, who finds no place is passed over", PassOver),
        *((f"affinity, {extra} s", lambda extra=extra: Affinity(extra)) for extra in (1, 2, 4, 8)),
    )
    for name, make in policies:
        cells = []
        for resident in (64, 16):
            found = [
                simulate(
                    make(),
                    Traffic(64, clients=128, zipf=1.0, answer=ANSWERS, seed=seed),
                    resident=resident,
                )
                for seed in MANY_SEEDS
            ]
            cells += [
                f"{_mean(one.throughput for one in found):.1f}",
                *(
                    " / ".join(f"{_mean(_percentile(of(one), p) for one in found):.1f}" for p in ranks)
                    for of, ranks in ((Outcome.waits, (50, 99)), (Outcome.late, (99, 100)))
                ),
            ]
        rows.append([name, *cells])
    return _table(
        "**64 adapters, Zipf 1.0, 16 places, 128 clients, 4,000 requests**: with all 64 kept loaded, and "
        "with 16, where a load is taken to stop the batch for 43 ms, which is what it cost over HTTP.",
        ["policy", *(2 * ["requests/s", "wait p50 / p99, s", "late p99 / longest, s"])],
        rows,
    )


def callers() -> str:
    """A loud caller and a quiet one; people and batch jobs."""
    jobs = tuple((f"jobs {key}", "batch", 0.005) for key in range(100))
    rows = []
    for label, who in (
        (
            "loud asks 9 times as often as quiet",
            (("loud", "interactive", 0.9), ("quiet", "interactive", 0.1)),
        ),
        ("people and batch jobs ask alike", (("people", "interactive", 0.5), ("jobs", "batch", 0.5))),
        ("the same, one key and 100", (("people", "interactive", 0.5), *jobs)),
    ):
        for name, policy in (("first come", FirstCome()), ("affinity, 2 s", Affinity(2.0))):
            traffic = Traffic(16, 12_000, rate=65, callers=who, answer=ANSWERS, seed=1)  # type: ignore[arg-type]
            out = simulate(policy, traffic, max_wait=20.0)
            cells = []
            for group in dict.fromkeys(caller.split()[0] for caller, _, _ in who):
                waits, asked = out.waits(group), len(out.asked(group))
                at_once, later = out.refused(group)
                cells.append(
                    f"{group}: {len(waits) / asked:.0%}, {_percentile(waits, 50):.1f} / "
                    f"{_percentile(waits, 99):.1f}, {at_once / asked:.0%} / {later / asked:.1%}"
                )
            rows.append([label, name, *cells])
    return _table(
        "**Shares: 65 requests/s come, about one and a half times what is served; 20 s is the longest "
        "wait.** Answered, seconds waited at p50 / p99, and refused at once / after 20 s.",
        ["traffic", "policy", "", ""],
        rows,
    )


def overload() -> str:
    """Three times as much as can be served, of answers as measured and of long ones."""
    rows = []
    for answers, seconds, longest in ((ANSWERS, 60, 10.0), (LONG_ANSWERS, 600, 60.0)):
        closed = Traffic(16, int(seconds * 5e3 / sum(answers)), clients=256, answer=answers, seed=1)
        capacity = simulate(FirstCome(), closed).throughput
        for name, policy in (("first come", FirstCome()), ("affinity, 2 s", Affinity(2.0))):
            count = int(3 * seconds * capacity)
            traffic = Traffic(16, count, rate=3 * capacity, answer=answers, seed=1)
            out = simulate(policy, traffic, max_wait=longest)
            served = len(out.finished)
            rows.append(
                [
                    f"{answers[0]} to {answers[1]} tokens, {longest:.0f} s",
                    name,
                    f"{out.throughput:.1f}",
                    f"{out.throughput / capacity:.2f}",
                    f"{(count - served - out.timed_out) / count:.0%}",
                    f"{out.timed_out / (served + out.timed_out):.1%}",
                    f"{_percentile(out.waits(), 99):.1f}",
                    f"{max(out.waits()):.1f}",
                ]
            )
    return _table(
        "**Overload: three times what first come serves, for a minute and for ten.** In vain: of those that "
        "were not refused at once.",
        [
            "answers, longest wait",
            "policy",
            "answered/s",
            "by capacity",
            "refused at once",
            "waited in vain",
            "wait p99, s",
            "longest",
        ],
        rows,
    )


def _closed(clients: int, seed: int) -> Traffic:
    return Traffic(16, clients=clients, answer=ANSWERS, seed=seed)


def _draw_depth(path: Path, clients: Sequence[int], runs: Mapping[str, list[list[Outcome]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    measures: tuple[tuple[str, Callable[[Outcome], float]], ...] = (
        ("requests/s", lambda out: out.throughput),
        ("different adapters in the batch", lambda out: out.adapters),
        ("seconds waited, p99", lambda out: _percentile(out.waits(), 99)),
    )
    for axis, (title, measure) in zip(panels, measures, strict=True):
        for name, found in runs.items():
            values = [_mean(measure(out) for out in outcomes) for outcomes in found]
            axis.plot(clients, values, "k--" if name == "first come" else "o-", label=name, markersize=4)
        axis.set(title=title, xlabel="clients for 64 slots", ylim=(0, None))
        axis.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path, dpi=110)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return title + "\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _percentile(values: Sequence[float], which: float) -> float:
    return float(np.percentile(values, which))


if __name__ == "__main__":
    main()
