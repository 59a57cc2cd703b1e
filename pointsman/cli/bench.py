"""``pointsman bench``: how fast an OpenAI endpoint is under described traffic, alone or beside another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import DEFAULT_URL, ApiKeyOption, UrlOption
from pointsman.cli.terminal import FAILED, REFUSED, Progress, fail, out, reported, say

if TYPE_CHECKING:
    from deploy.bench.serving.alternate import Plan, Target
    from deploy.bench.serving.load import Run
    from deploy.bench.serving.report import Summary

_LAG_MS = 10.0  # from which on the generator is said to be late
_RANGE = "A number, or LOW:HIGH for all between."


ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="What is asked for, the most popular first; repeat for a mix.",
        show_default=False,
    ),
]
AgainstOption = Annotated[
    str | None, typer.Option(metavar="URL", help="A second endpoint, measured in turn with the first.")
]
AgainstModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="What the second calls each --model, in the same order; else the same."
    ),
]
AgainstKeyOption = Annotated[
    str | None, typer.Option(metavar="KEY", help="The second's key, if it asks for one.")
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Closed loop: so many clients, each asks again once answered; 16 if there is no --rate.",
        show_default=False,
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(min=0.01, help="Open loop: so many requests/s on average, at random times (Poisson)."),
]
RequestsOption = Annotated[int, typer.Option(min=1, help="Requests of one round.")]
RoundsOption = Annotated[int, typer.Option(min=1, help="Rounds on each endpoint; two endpoints alternate.")]
WarmUpOption = Annotated[int, typer.Option(min=0, help="Requests before, on each endpoint, not counted.")]
ZipfOption = Annotated[
    float, typer.Option(min=0, help="Popularity: the k-th model gets 1 / k^ZIPF; 0 is all the same.")
]
PromptWordsOption = Annotated[str, typer.Option(metavar="RANGE", help=f"Length of prompts. {_RANGE}")]
MaxTokensOption = Annotated[str, typer.Option(metavar="RANGE", help=f"Length of answers. {_RANGE}")]
IgnoreEosOption = Annotated[
    bool, typer.Option("--ignore-eos", help="Have vLLM go on to max_tokens, for answers of known length.")
]
StreamOption = Annotated[float, typer.Option(min=0, max=1, help="Share of requests that are streamed.")]
TimeoutOption = Annotated[float, typer.Option(min=0.1, help="Seconds that an answer may take.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed asks the same.")]
JsonFileOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers.", show_default=False)
]
PngOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw how the times are spread.", show_default=False)
]


def bench(
    *,
    url: UrlOption = DEFAULT_URL,
    model: ModelsOption = None,
    api_key: ApiKeyOption = None,
    against: AgainstOption = None,
    against_model: AgainstModelsOption = None,
    against_api_key: AgainstKeyOption = None,
    concurrency: ConcurrencyOption = None,
    rate: RateOption = None,
    requests: RequestsOption = 256,
    rounds: RoundsOption = 1,
    warm_up: WarmUpOption = 8,
    zipf: ZipfOption = 0.0,
    prompt_words: PromptWordsOption = "200",
    max_tokens: MaxTokensOption = "128",
    ignore_eos: IgnoreEosOption = False,
    stream: StreamOption = 1.0,
    timeout: TimeoutOption = 300.0,
    seed: SeedOption = 0,
    json_file: JsonFileOption = None,
    png: PngOption = None,
) -> None:
    """Measure an OpenAI endpoint under described traffic, alone or against another.

    Times are percentiles, p50 / p90 / p99. *First token* is from when a request should have been sent to the
    first text that arrives; *per token* is the rest of a streamed answer divided by its further tokens. In an
    open loop a request counts from its planned time even if it left late, so a server that stalls is seen
    to. Compare endpoints in one run: with --against both get the same requests, in turn, and the ratio comes
    with its spread over the rounds. The command ends with 1 if any request failed.

    What to choose: a closed loop finds the most that a server can do at a number of users (raise
    --concurrency until requests/s stay the same); an open loop at 80 % of that shows what users wait.

    Examples:

    - `pointsman bench --model support --concurrency 64`
    - `pointsman bench --model support --model math --zipf 1.0 --rate 20 --requests 2000 --png wait.png`
    - `pointsman bench --model base --against http://127.0.0.1:8001 --against-model qwen --rounds 5`
    """
    from deploy.bench.serving.alternate import Plan, Target, alternate
    from deploy.bench.serving.load import Pace
    from deploy.bench.serving.traffic import Mix

    if concurrency is not None and rate is not None:
        fail("--concurrency (a closed loop) and --rate (an open loop) exclude each other: give one", REFUSED)
    if against is None and (against_model or against_api_key):
        fail("--against-model and --against-api-key need --against URL", REFUSED)
    for file in (json_file, png):
        if file is not None and not file.absolute().parent.is_dir():
            fail(f"{file}: the folder {file.absolute().parent} does not exist", REFUSED)
    words, tokens = _bounds("--prompt-words", prompt_words), _bounds("--max-tokens", max_tokens)
    names = tuple(model or ())
    targets = [Target(url, api_key, names)]
    if against is not None:
        targets.append(Target(against, against_api_key, tuple(against_model or names)))
    for target in targets:
        _check_models(target)
    if len(targets[-1].models) != len(names):
        fail(f"{len(targets[-1].models)} --against-model for {len(names)} --model: one for each", REFUSED)
    mix = Mix(names, zipf, words, tokens, stream, ignore_eos, seed)
    pace = Pace(rate=rate) if rate is not None else Pace(concurrency=concurrency or 16)
    plan = Plan(mix, pace, requests, rounds, warm_up, timeout)
    import uvloop

    with Progress() as report, reported(ValueError, status=REFUSED):
        runs = uvloop.run(alternate(targets, plan, report))
    _show([(target.url, found) for target, found in zip(targets, runs, strict=True)], plan, json_file, png)


def _bounds(option: str, given: str) -> tuple[int, int]:
    low, _, high = given.partition(":")
    high = high or low
    if not (low.isdecimal() and high.isdecimal() and 1 <= int(low) <= int(high)):
        fail(f"{option} {given!r}: give a number from 1, such as 200, or a range, such as 100:300", REFUSED)
    return int(low), int(high)


def _check_models(target: Target) -> None:
    """End the command unless the target answers and lists what is asked for."""
    from pointsman.cli.gateway import GatewayError, NotRunning, call

    url = target.url.rstrip("/").removesuffix("/v1")
    try:
        listed = call(url, "GET", "/v1/models", key=target.key)
        offered = [str(card["id"]) for card in listed["data"]]
    except NotRunning:
        fail(f"nothing answers at {url}: start the server there, or give the address of another", REFUSED)
    except GatewayError as exc:
        fail(f"{url}: {exc}", REFUSED)
    except (KeyError, TypeError):
        fail(f"{url}/v1/models is not what an OpenAI endpoint answers: no list under data", REFUSED)
    if not target.models:
        fail(f"which model? give --model, once or more; {url} has {', '.join(offered)}", REFUSED)
    for name in target.models:
        if name not in offered and name.partition("@")[0] not in offered:
            fail(f"{url} does not have the model {name!r}; it has {', '.join(offered)}", REFUSED)


def _show(
    found: Sequence[tuple[str, Sequence[Run]]], plan: Plan, json_file: Path | None, png: Path | None
) -> None:
    import json
    from dataclasses import asdict

    from deploy.bench.serving.picture import draw
    from deploy.bench.serving.report import Ratio, Summary, as_json

    summaries = [Summary.of(url, runs) for url, runs in found]
    _print_tables(summaries)
    if len(summaries) == 2 and (ratio := Ratio.of(summaries[0], summaries[1])) is not None:
        say(
            f"throughput of the first by the second's: {ratio.median:.3f} "
            f"({ratio.lowest:.3f} to {ratio.highest:.3f} over the rounds)"
        )
    if (lag := max(one.lag_ms for one in summaries)) > _LAG_MS:
        say(f"the generator itself was late by {lag:.0f} ms (p99): it or its machine is too slow for --rate")
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(asdict(plan), summaries), indent=1) + "\n", "utf-8")
        say(f"numbers: {json_file}")
    if png is not None:
        draw(found, png)
        say(f"picture: {png}")
    if any(one.errors for one in summaries):
        raise typer.Exit(FAILED)


def _print_tables(summaries: list[Summary]) -> None:
    from rich.table import Table

    from deploy.bench.serving.report import model_rows, rows

    table = Table("", *(one.name for one in summaries))
    for row in rows(summaries):
        table.add_row(*row)
    out().print(table)
    if len(summaries[0].by_model) > 1:
        heads = [head for _ in summaries for head in ("answered", "first token, ms", "end to end, ms")]
        by_model = Table("model", *heads)
        for row in model_rows(summaries):
            by_model.add_row(*row)
        out().print(by_model)
