"""``pointsman bench``: how fast an OpenAI endpoint is under described traffic, alone or beside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pointsman.cli import bench_options as options
from pointsman.cli.bench_checks import Checks
from pointsman.cli.options import DEFAULT_URL
from pointsman.cli.terminal import REFUSED, Progress, fail

if TYPE_CHECKING:
    from deploy.bench.serving.alternate import Target


def bench(
    *,
    url: options.Url = DEFAULT_URL,
    model: options.Models = None,
    api_key: options.Key = None,
    against: options.Against = None,
    against_model: options.AgainstModels = None,
    against_api_key: options.AgainstKey = None,
    zipf: options.Zipf = 0.0,
    stream: options.Stream = 1.0,
    tools: options.Tools = 0.0,
    routed: options.Routed = 0.0,
    prompt_words: options.PromptWords = "200",
    prompts: options.Prompts = None,
    max_tokens: options.MaxTokens = "128",
    ignore_eos: options.IgnoreEos = False,
    seed: options.Seed = 0,
    concurrency: options.Concurrency = None,
    rate: options.Rate = None,
    burst: options.Burst = None,
    timeout: options.Timeout = 300.0,
    requests: options.Requests = 256,
    rounds: options.Rounds = 1,
    warm_up: options.WarmUp = 8,
    json_file: options.JsonFile = None,
    png: options.Png = None,
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

    **Compare in one run**, never in two: with `--against` all get requests of one kind, in turn, and made-up
    prompts in words of their own, as an engine behind several of them keeps what it has read. From two
    rounds on each number has its spread, from the lowest to the highest of a round; a difference that is
    smaller than that is none. The command ends with 1 if any request failed, and with 2 if it could not
    begin.

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

    checks = Checks()
    checks.address("--url", url)
    checks.key("--api-key", api_key)
    checks.key("--against-api-key", against_api_key)
    for other in against or ():
        checks.address("--against", other)
    for name in model or ():
        checks.name("--model", name)
    for name in against_model or ():
        checks.name("--against-model", name)
    checks.refuse(
        "--against-model and --against-api-key need --against URL",
        when=not against and bool(against_model or against_api_key),
    )
    checks.refuse(
        f"{len(against_model or ())} --against-model for {len(model or ())} --model: give one for each",
        when=bool(against and against_model) and len(against_model or ()) != len(model or ()),
    )
    checks.number("--zipf", zipf, 0)
    for option, share in (("--stream", stream), ("--tools", tools), ("--routed", routed)):
        checks.number(option, share, 0, 1)
    checks.number("--seed", seed, 0)
    checks.number("--concurrency", concurrency, 1)
    checks.number("--rate", rate, 0.01)
    checks.number("--burst", burst, 0, 20)
    checks.number("--timeout", timeout, 0.1)
    checks.number("--requests", requests, 1)
    checks.number("--rounds", rounds, 1)
    checks.number("--warm-up", warm_up, 0)
    checks.refuse(
        "--concurrency (a closed loop) and --rate (an open loop) exclude each other: give one",
        when=concurrency is not None and rate is not None,
    )
    checks.refuse(
        "--burst is about when the requests of an open loop come: give --rate too",
        when=burst is not None and rate is None,
    )
    checks.writable("--json", json_file)
    checks.writable("--png", png, ".png")
    mix = Mix(
        models=tuple(model or ()),
        zipf=zipf,
        prompt_words=checks.range("--prompt-words", prompt_words),
        max_tokens=checks.range("--max-tokens", max_tokens),
        stream=stream,
        tools=tools,
        routed=routed,
        prompts=checks.lines("--prompts", prompts),
        ignore_eos=ignore_eos,
        seed=seed,
    )
    checks.end_if_wrong()

    theirs = tuple(against_model or mix.models)
    asked = [
        Target(url, api_key, mix.models),
        *(Target(one, against_api_key, theirs) for one in against or ()),
    ]
    targets = [_checked(target) for target in asked]
    if routed and not any(target.auto for target in targets):
        fail("--routed: no endpoint lists the model auto, so none routes", REFUSED)
    pace = Pace(concurrency or 16) if rate is None else Pace(rate=rate, burst=1.0 if burst is None else burst)
    plan = Plan(mix, pace, requests, rounds, warm_up, timeout)
    import uvloop

    with Progress() as report:
        runs = uvloop.run(alternate(targets, plan, report))
    show(list(zip(_names(targets), runs, strict=True)), plan, json_file, png)


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
