"""What ``pointsman bench`` found: tables, the files that were asked for, and the command's status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pointsman.cli.terminal import FAILED, out, reported, say

if TYPE_CHECKING:
    from deploy.bench.serving.alternate import Plan
    from deploy.bench.serving.load import Run
    from deploy.bench.serving.report import Summary

_LAG_MS = 10.0  # from which on the generator is said to be late


def show(
    found: Sequence[tuple[str, Sequence[Run]]], plan: Plan, json_file: Path | None, png: Path | None
) -> None:
    """Print what the rounds gave and write the files; ends the command with 1 if a request failed."""
    from deploy.bench.serving.picture import draw
    from deploy.bench.serving.report import Summary
    from deploy.bench.serving.tables import as_json

    summaries = [Summary.of(name, runs) for name, runs in found]
    _print_tables(summaries)
    if (lag := max(one.lag_ms for one in summaries)) > _LAG_MS:
        say(f"the generator itself was late by {lag:.0f} ms (p99): it or its machine is too slow for --rate")
    with reported(OSError):
        if json_file is not None:
            numbers = as_json(_described(plan), summaries)
            json_file.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", "utf-8")
            say(f"numbers: {json_file}")
        if png is not None:
            runs = [one for _, one in found]
            draw(_title(plan), list(zip(summaries, runs, strict=True)), png)
            say(f"picture: {png}")
    if any(one.errors for one in summaries):
        raise typer.Exit(FAILED)


def _print_tables(summaries: list[Summary]) -> None:
    from deploy.bench.serving.tables import compared_rows, key_rows, messages, model_rows, outcome_rows, rows

    for number, one in enumerate(summaries, 1):  # a narrow terminal would cut their names to the same
        say(f"{number} is {one.name}")
    summaries = [replace(one, name=str(number)) for number, one in enumerate(summaries, 1)]
    names = [one.name for one in summaries]
    _print("", names, rows(summaries))
    if len(summaries) > 1:
        _print("the first by", names[1:], compared_rows(summaries))
    heads = ("endpoint", "answered", "errors", "first token, ms", "end to end, ms")
    if any(len(one.by_model) > 1 for one in summaries):
        _print("model", heads, model_rows(summaries))
    if any(len(one.by_key) > 1 for one in summaries):
        _print("key", heads, key_rows(summaries))
    if any(one.errors for one in summaries):
        _print("outcome", ("endpoint", "requests", "after, ms"), outcome_rows(summaries))
    for line in (said := messages(summaries)):
        say(line)
    if any("stream_options" in line for line in said):
        say("a server that takes no stream_options can be asked without: --no-usage")


def _print(corner: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(corner, *heads)
    for line in lines:
        table.add_row(*line)
    out().print(table)


def _described(plan: Plan) -> dict[str, Any]:
    """The plan for a file; of prompts only how many there were."""
    described = asdict(plan)
    described["mix"]["prompts"] = len(plan.mix.prompts)
    return described


def _title(plan: Plan) -> str:
    """The traffic in a line."""
    mix, pace = plan.mix, plan.pace
    come = f"{pace.concurrency} clients" if pace.rate is None else f"{pace.rate:g} requests/s"
    models = mix.models[0] if len(mix.models) == 1 else f"{len(mix.models)} models, Zipf {mix.zipf:g}"
    shares = [f"{share:.0%} {what}" for what, share in _shares(plan) if share]
    burst = [f"burst {pace.burst:g}"] if pace.rate is not None and pace.burst != 1 else []
    keys = [f"{mix.callers} keys, Zipf {mix.caller_zipf:g}"] if mix.callers > 1 else []
    shared = [f"{mix.prefixes} × {mix.prefix_words} words shared"] if mix.prefix_words else []
    each = f"{plan.seconds:g} s" if plan.requests is None else f"{plan.requests} requests"
    much = f"{each} × {plan.rounds}"
    return ", ".join([models, come, *burst, *keys, *shares, *shared, much])


def _shares(plan: Plan) -> list[tuple[str, float]]:
    mix = plan.mix
    headed = mix.headed if mix.headed < 1 else 0.0  # said where some have the headers and some not
    return [
        ("streamed", mix.stream),
        ("with tools", mix.tools),
        ("routed", mix.routed),
        ("with headers", headed),
    ]
