"""``pointsman bench``: how fast an OpenAI endpoint is under described traffic, alone or beside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.bench_options import (
    AgainstKeyOption,
    AgainstModelsOption,
    AgainstOption,
    BurstOption,
    ConcurrencyOption,
    IgnoreEosOption,
    JsonFileOption,
    MaxTokensOption,
    ModelsOption,
    PngOption,
    PromptsOption,
    PromptWordsOption,
    RateOption,
    RequestsOption,
    RoundsOption,
    RoutedOption,
    SeedOption,
    StreamOption,
    TimeoutOption,
    ToolsOption,
    WarmUpOption,
    ZipfOption,
)
from pointsman.cli.options import DEFAULT_URL, ApiKeyOption, UrlOption
from pointsman.cli.terminal import REFUSED, Progress, fail, reported

if TYPE_CHECKING:
    from deploy.bench.serving.alternate import Target


def bench(
    *,
    url: UrlOption = DEFAULT_URL,
    model: ModelsOption = None,
    api_key: ApiKeyOption = None,
    against: AgainstOption = None,
    against_model: AgainstModelsOption = None,
    against_api_key: AgainstKeyOption = None,
    zipf: ZipfOption = 0.0,
    stream: StreamOption = 1.0,
    tools: ToolsOption = 0.0,
    routed: RoutedOption = 0.0,
    prompt_words: PromptWordsOption = "200",
    prompts: PromptsOption = None,
    max_tokens: MaxTokensOption = "128",
    ignore_eos: IgnoreEosOption = False,
    seed: SeedOption = 0,
    concurrency: ConcurrencyOption = None,
    rate: RateOption = None,
    burst: BurstOption = None,
    timeout: TimeoutOption = 300.0,
    requests: RequestsOption = 256,
    rounds: RoundsOption = 1,
    warm_up: WarmUpOption = 8,
    json_file: JsonFileOption = None,
    png: PngOption = None,
) -> None:
    """Measure an OpenAI endpoint under described traffic, alone or beside others.

    **What to choose.** A closed loop (`--concurrency`) finds the most that a server can do: raise it until
    requests/s stay the same. An open loop (`--rate`) shows what users wait: take 80 % of that most, and
    `--burst 3` for users who come together. More than the most shows who is refused, and how soon.

    **How to read it.** Times are p50 / p90 / p99 in milliseconds, of answered requests. *First token* is from
    when a request should have been sent to the first text that arrives; *per token* is the rest of a streamed
    answer by its further tokens; *gap* is between pieces as they arrive. In an open loop a request counts
    from its planned time even if it left late, so a server that stalls is seen to. Where a request failed,
    a table has the times by HTTP status. Where several models were asked, or `auto`, one has them by
    adapter, and those with tools apart.

    **Compare in one run**, never in two: with `--against` all get the same requests, in turn. From two rounds
    on each number has its spread, from the lowest to the highest of a round; a difference that is smaller
    than that is none. The command ends with 1 if any request failed, and with 2 if it could not begin.

    Examples:

    - `pointsman bench --model support --concurrency 64`
    - `pointsman bench --model support --model math --zipf 1.0 --rate 20 --requests 2000 --png wait.png`
    - `pointsman bench --model support --tools 0.3 --routed 0.5 --prompts asked.txt --rate 5 --burst 3`
    - `pointsman bench --model base --against http://127.0.0.1:8001 --against-model qwen --rounds 5`
    """
    from deploy.bench.serving.alternate import Plan, Target, alternate
    from deploy.bench.serving.load import Pace
    from deploy.bench.serving.traffic import Mix
    from pointsman.cli.bench_result import show

    if concurrency is not None and rate is not None:
        fail("--concurrency (a closed loop) and --rate (an open loop) exclude each other: give one", REFUSED)
    if burst is not None and rate is None:
        fail("--burst is about when the requests of an open loop come: give --rate too", REFUSED)
    if not against and (against_model or against_api_key):
        fail("--against-model and --against-api-key need --against URL", REFUSED)
    for file in (json_file, png):
        if file is not None:
            _check_writable(file)
    mix = Mix(
        models=tuple(model or ()),
        zipf=zipf,
        prompt_words=_bounds("--prompt-words", prompt_words),
        max_tokens=_bounds("--max-tokens", max_tokens),
        stream=stream,
        tools=tools,
        routed=routed,
        prompts=_lines(prompts),
        ignore_eos=ignore_eos,
        seed=seed,
    )
    theirs = tuple(against_model or mix.models)
    asked = [
        Target(url, api_key, mix.models),
        *(Target(one, against_api_key, theirs) for one in against or ()),
    ]
    targets = [_checked(target) for target in asked]
    if len(theirs) != len(mix.models):
        fail(f"{len(theirs)} --against-model for {len(mix.models)} --model: one for each", REFUSED)
    if routed and not any(target.auto for target in targets):
        fail("--routed: no endpoint lists the model auto, so none routes", REFUSED)
    pace = Pace(rate=rate, burst=1.0 if burst is None else burst) if rate else Pace(concurrency or 16)
    plan = Plan(mix, pace, requests, rounds, warm_up, timeout)
    import uvloop

    with Progress() as report, reported(ValueError, status=REFUSED):
        runs = uvloop.run(alternate(targets, plan, report))
    show(list(zip(_names(targets), runs, strict=True)), plan, json_file, png)


def _bounds(option: str, given: str) -> tuple[int, int]:
    low, _, high = given.partition(":")
    high = high or low
    if not (low.isdecimal() and high.isdecimal() and 1 <= int(low) <= int(high)):
        fail(f"{option} {given!r}: give a number from 1, such as 200, or a range, such as 100:300", REFUSED)
    return int(low), int(high)


def _lines(file: Path | None) -> tuple[str, ...]:
    """The lines of a file that are not empty; none without one."""
    if file is None:
        return ()
    try:
        found = tuple(line for line in file.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as exc:
        fail(f"--prompts {file}: {exc}", REFUSED)
    return found or fail(f"--prompts {file}: it has no line", REFUSED)


def _check_writable(file: Path) -> None:
    """End the command if this can't be written, before anything is asked for it."""
    folder = file.absolute().parent
    if not folder.is_dir():
        fail(f"{file}: the folder {folder} does not exist", REFUSED)
    there = file.exists()
    try:
        file.open("ab").close()
    except OSError as exc:
        fail(f"{file}: it can't be written: {exc.strerror}", REFUSED)
    if not there:
        file.unlink()


def _checked(target: Target) -> Target:
    """The target, and whether it routes. Ends the command unless it answers and lists what is asked for."""
    from deploy.bench.serving.traffic import AUTO
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
    return replace(target, auto=AUTO in offered)


def _names(targets: Sequence[Target]) -> list[str]:
    """What each is called in the tables: its address, and what it is asked for where an address is twice."""
    urls = [target.url for target in targets]
    return [
        url if urls.count(url) == 1 else f"{url} ({', '.join(target.models)})"
        for url, target in zip(urls, targets, strict=True)
    ]
