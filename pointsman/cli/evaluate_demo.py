"""``pointsman eval demo``: the task success of the running demo, by intent and language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, ApiKeyOption, UrlOption
from pointsman.cli.terminal import err, fail, out, reported, say

if TYPE_CHECKING:
    from deploy.demo.evaluation import Outcome, Score


def demo(
    *,
    url: UrlOption = DEFAULT_URL,
    count: Annotated[int, typer.Option(min=1, help="Cases of each intent in each language.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests at a time.")] = 8,
    language: Annotated[
        str | None, typer.Option(metavar="en|zh", show_default=False, help="Only this language.")
    ] = None,
    intent: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this intent; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other cases.")] = 0,
    cases_file: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FILE.jsonl", help="Cases of a file in place of generated ones."),
    ] = None,
    failures: Annotated[int, typer.Option(min=0, metavar="N", help="Show the first N failed cases.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write every case and the scores here.")
    ] = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Send held-out cases through the running gateway and print the task success by intent and language.

    Names, numbers and ids of these cases were never trained on. The status is 1 if a bar is missed.

    Examples:

    - `pointsman eval demo --count 20 --failures 5`
    - `pointsman eval demo --cases deploy/demo/cases/handwritten.jsonl`
    """
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from deploy.demo import evaluation
    from pointsman.cli.gateway import GatewayError, call

    languages = _chosen("language", [language] if language else None, evaluation.LANGUAGES)
    intents = _chosen("intent", intent, evaluation.INTENTS)
    with reported(ValueError, OSError):
        samples = evaluation.cases(count, seed, languages, intents, cases_file)
    with reported(GatewayError):
        call(url, "GET", "/ready")
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=err(), transient=True) as bars:
        task = bars.add_task("", total=len(samples))
        asked = evaluation.evaluate(url, samples, concurrency, api_key, partial(bars.advance, task))
        outcomes = asyncio.run(asked)
    scores = evaluation.scores(outcomes)
    _print_scores(scores)
    failed = [outcome for outcome in outcomes if outcome.faults]
    for outcome in failed[:failures]:
        _print_failure(outcome)
    if json_file is not None:
        json_file.write_text(_as_json(scores, outcomes), encoding="utf-8")
    if below := [f"{score.intent} ({score.language})" for score in scores if score.below]:
        fail(f"below the bar: {', '.join(below)}" + ("" if failures else "; --failures 5 shows cases"))


def _chosen(what: str, given: Sequence[str] | None, known: Sequence[Any]) -> list[Any]:
    unknown = [name for name in given or () if name not in known]
    if unknown:
        fail(f"no such {what}: {', '.join(unknown)}; there is {', '.join(known)}")
    return list(given or known)


def _print_scores(scores: Sequence[Score]) -> None:
    from rich.table import Table

    table = Table("intent", "language", "cases", "task success", "bar", "routed right")
    for score in scores:
        colour = "bold red" if score.below else "green" if score.bar else "default"
        table.add_row(
            score.intent,
            score.language,
            str(score.cases),
            f"[{colour}]{score.done / score.cases:.0%}[/]",
            f"{score.bar:.0%}" if score.bar else "",
            f"{score.routed / score.cases:.0%}",
        )
    table.add_section()
    cases, done, routed = (
        sum(getattr(score, name) for score in scores) for name in ("cases", "done", "routed")
    )
    table.add_row("all", "", str(cases), f"{done / cases:.1%}", "", f"{routed / cases:.1%}")
    out().print(table)


def _print_failure(outcome: Outcome) -> None:
    asked = next(m["content"] for m in reversed(outcome.sample.messages) if m["role"] == "user")
    out().print(
        f"\n{outcome.sample.intent} ({outcome.sample.language}), routed to {outcome.routed}", style="bold"
    )
    for label, text in (
        ("asked", asked),
        ("answered", outcome.text),
        *(("fault", f) for f in outcome.faults),
    ):
        say(f"  {label}: {text}")


def _as_json(scores: Sequence[Score], outcomes: Sequence[Outcome]) -> str:
    from dataclasses import asdict

    report = {
        "scores": [asdict(score) for score in scores],
        "cases": [{**asdict(outcome), "routed_right": outcome.routed_right} for outcome in outcomes],
    }
    return json.dumps(report, ensure_ascii=False, indent=1, default=list) + "\n"
