"""Summaries as the rows of tables, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deploy.bench.serving.compare import Measure, Over, measures
from deploy.bench.serving.report import OK, Spread, Summary, Times

_TIMES = (
    ("first token, ms", "first_token"),
    ("per token, ms", "per_token"),
    ("gap between pieces, ms", "gaps"),
    ("end to end, ms", "end_to_end"),
)
_BY_ROUND = "  by round"


def as_json(described: dict[str, Any], summaries: Sequence[Summary]) -> dict[str, Any]:
    """Everything, for a file."""
    first, *others = summaries
    return {
        "traffic": described,
        "endpoints": [asdict(summary) for summary in summaries],
        "first_by": {one.name: [asdict(found) for found in measures(first, one)] for one in others},
    }


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table: a name, then a cell for each endpoint."""
    found = [["requests/s", *(f"{one.throughput:.2f}" for one in summaries)]]
    several = len(summaries[0].by_round) > 1
    if several:
        found.append([_BY_ROUND, *(_range(one.by_round, 2) for one in summaries)])
    found.append(["tokens/s", *(f"{one.tokens:.0f}{_unsaid(one)}" for one in summaries)])
    found.append(["errors", *(_errors(one.times) for one in summaries)])
    for label, kind in _TIMES:
        found.append([label, *(_spread(getattr(one.times, kind)) for one in summaries)])
        if several:
            found.append([_BY_ROUND, *(_spreads(one.times_by_round, kind) for one in summaries)])
    return found


def model_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table by model: model, endpoint, how many were answered, errors, first token and end to end."""
    models = sorted({model for one in summaries for model in one.by_model})
    return _told_apart(models, [(one.name, one.by_model) for one in summaries])


def key_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The same by key."""
    keys = sorted({key for one in summaries for key in one.by_key}, key=lambda key: (len(key), key))
    return _told_apart(keys, [(one.name, one.by_key) for one in summaries])


def _told_apart(kinds: Sequence[str], endpoints: Sequence[tuple[str, dict[str, Times]]]) -> list[list[str]]:
    return [
        [
            kind,
            name,
            str(times.answered),
            _listed(times),
            _spread(times.first_token),
            _spread(times.end_to_end),
        ]
        for kind in kinds
        for name, by_kind in endpoints
        if (times := by_kind.get(kind)) is not None
    ]


def outcome_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table by outcome, the answered first: outcome, endpoint, how many requests and after how long."""
    names = {name for one in summaries for name in one.by_outcome}
    return [
        [name, one.name, str(outcome.count), _spread(outcome.end_to_end)]
        for name in sorted(names, key=lambda name: (name != OK, name))
        for one in summaries
        if (outcome := one.by_outcome.get(name)) is not None
    ]


def messages(summaries: Sequence[Summary]) -> list[str]:
    """What each endpoint said first to each kind of error, a line each."""
    return [
        f"{name} of {one.name}: {outcome.message}"
        for one in summaries
        for name, outcome in one.by_outcome.items()
        if outcome.message
    ]


def compared_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The first endpoint by each other one: a measure, then a cell for each of the others."""
    first, *others = summaries
    by = [{found.name: found for found in measures(first, one)} for one in others]
    names = list(dict.fromkeys(name for found in by for name in found))
    return [[name, *(_compared(found.get(name)) for found in by)] for name in names]


def _compared(found: Measure | None) -> str:
    if found is None:
        return "-"
    ratio = _over(found.ratio, ".2f", "")
    return ratio if found.more_ms is None else f"{ratio}, {_over(found.more_ms, '+.1f', ' ms')}"


def _over(over: Over, form: str, unit: str) -> str:
    """The median, and the spread where there is one."""
    median, lowest, highest = (format(value, form) for value in (over.median, over.lowest, over.highest))
    return f"{median}{unit}" + (f" ({lowest} to {highest})" if lowest != highest else "")


def _unsaid(one: Summary) -> str:
    """How the tokens of those answers were counted whose usage the server did not say."""
    ways = [(one.by_pieces, "by pieces"), (one.uncounted, "as 0")]
    counts = ", ".join(f"{count} {way}" for count, way in ways if count)
    return f" (no usage: {counts})" if counts else ""


def _range(values: Sequence[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def _errors(times: Times) -> str:
    count = sum(times.errors.values())
    return f"{count} of {count + times.answered}" + (f" ({_listed(times)})" if count else "")


def _listed(times: Times) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(times.errors.items())) or "0"


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.p50:.1f} / {spread.p90:.1f} / {spread.p99:.1f}"


def _spreads(rounds: Sequence[Times], kind: str) -> str:
    """From the least to the most that a percentile was in a round."""
    found: list[Spread] = [spread for one in rounds if (spread := getattr(one, kind)) is not None]
    if not found:
        return "-"
    columns = zip(*((one.p50, one.p90, one.p99) for one in found), strict=True)
    return " / ".join(_range(column, 1) for column in columns)
