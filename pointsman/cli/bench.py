"""``pointsman bench``: how fast an OpenAI endpoint is under described traffic, alone or beside others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pointsman.cli import bench_options as options
from pointsman.cli.bench_checks import Checks
from pointsman.cli.options import DEFAULT_URL
from pointsman.cli.terminal import REFUSED, Progress, fail, say

if TYPE_CHECKING:
    from deploy.bench.serving.alternate import Target

_REQUESTS = 256
_NO_LIST = (404, 405, 501)  # of who has no /v1/models


def bench(
    *,
    url: options.Url = DEFAULT_URL,
    model: options.Models = None,
    api_key: options.Keys = None,
    against: options.Against = None,
    against_model: options.AgainstModels = None,
    against_api_key: options.AgainstKeys = None,
    header: options.Headers = None,
    zipf: options.Zipf = 0.0,
    stream: options.Stream = 1.0,
    tools: options.Tools = 0.0,
    routed: options.Routed = 0.0,
    key_zipf: options.KeyZipf = 0.0,
    header_share: options.HeaderShare = 1.0,
    prefix_words: options.PrefixWords = 0,
    prefixes: options.Prefixes = 1,
    prompt_words: options.PromptWords = "200",
    prompts: options.Prompts = None,
    max_tokens: options.MaxTokens = "128",
    ignore_eos: options.IgnoreEos = False,
    no_usage: options.Usage = False,
    seed: options.Seed = 0,
    concurrency: options.Concurrency = None,
    rate: options.Rate = None,
    burst: options.Burst = None,
    timeout: options.Timeout = 300.0,
    requests: options.Requests = None,
    duration: options.Duration = None,
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
    answer by its further tokens; *gap* is between pieces with text as they arrive. In an open loop a request
    counts from its planned time even if it left late, so a server that stalls is seen to. Where one failed,
    a table has the times by HTTP status, and below is what the server said first. Where several models were
    asked, or `auto`, one has them by adapter, and those with tools or a header apart; where there are several
    keys, one has them by key. Tokens are as the server counted them; where it did not, the pieces of a stream
    are counted, and the table says so.

    **Compare in one run**, never in two: with `--against` all get requests of one kind, in turn, and made-up
    prompts in words of their own, as an engine behind several of them keeps what it has read. From two
    rounds on each number has its spread, from the lowest to the highest of a round; a difference that is
    smaller than that is none. The command ends with 1 if any request failed, and with 2 if it could not
    begin.

    Examples:

    - `pointsman bench --model support --concurrency 64 --duration 60`
    - `pointsman bench --model support --model math --zipf 1.0 --rate 20 --requests 2000 --png wait.png`
    - `pointsman bench --model support --tools 0.3 --routed 0.5 --prompts asked.txt --rate 5 --burst 3`
    - `pointsman bench --model support --api-key A --api-key B --key-zipf 3 --rate 20` (is a quiet
      client served beside one that asks 8 times as often?)
    - `pointsman bench --model support --header x-pointsman-priority=batch --header-share 0.5 --rate 20`
    - `pointsman bench --model support --prefix-words 2000 --prefixes 32` (system prompts that are shared)
    - `pointsman bench --model base --against http://127.0.0.1:8001 --against-model qwen --rounds 5`
    """
    from deploy.bench.serving.alternate import Plan, Target, alternate
    from deploy.bench.serving.load import Pace
    from deploy.bench.serving.traffic import Mix
    from pointsman.cli.bench_result import show

    checks = Checks()
    checks.address("--url", url)
    headers = tuple(checks.header("--header", given) for given in header or ())
    checks.refuse(
        "--api-key and --header authorization are the same header: leave one out",
        when=bool(api_key or against_api_key) and any(name.lower() == "authorization" for name, _ in headers),
    )
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
    _check_callers(checks, api_key or (), against_api_key or (), key_zipf)
    checks.refuse("--header-share is about --header: give it too", when=header_share != 1 and not headers)
    checks.refuse("--prefixes needs --prefix-words", when=prefixes != 1 and not prefix_words)
    for option, exponent in (("--zipf", zipf), ("--key-zipf", key_zipf)):
        checks.number(option, exponent, 0)
    shares = {"--stream": stream, "--tools": tools, "--routed": routed, "--header-share": header_share}
    for option, share in shares.items():
        checks.number(option, share, 0, 1)
    checks.number("--prefix-words", prefix_words, 0, 100_000)
    checks.number("--prefixes", prefixes, 1, 1_000)
    checks.number("--seed", seed, 0)
    checks.number("--concurrency", concurrency, 1)
    checks.number("--rate", rate, 0.01)
    checks.number("--burst", burst, 0, 20)
    checks.number("--timeout", timeout, 0.1)
    checks.number("--requests", requests, 1)
    checks.number("--duration", duration, 0.1)
    checks.number("--rounds", rounds, 1)
    checks.number("--warm-up", warm_up, 0)
    _check_pace(checks, concurrency, rate, burst)
    _check_length(checks, requests, duration, rate)
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
        callers=max(1, len(api_key or ())),
        caller_zipf=key_zipf,
        headed=header_share,
        prefix_words=prefix_words,
        prefixes=prefixes,
        usage=not no_usage,
    )
    checks.end_if_wrong()

    theirs = tuple(against_model or mix.models)
    asked = [
        Target(url, mix.models, keys=tuple(api_key or ()), headers=headers),
        *(Target(one, theirs, keys=tuple(against_api_key or ()), headers=headers) for one in against or ()),
    ]
    targets = [_checked(target) for target in asked]
    if routed and not any(target.auto for target in targets):
        fail("--routed: no endpoint lists the model auto, so none routes", REFUSED)
    pace = Pace(concurrency or 16) if rate is None else Pace(rate=rate, burst=1.0 if burst is None else burst)
    much = (requests or _REQUESTS) if duration is None else None
    plan = Plan(mix, pace, much, rounds, warm_up, timeout, duration)
    import uvloop

    with Progress() as report:
        runs = uvloop.run(alternate(targets, plan, report))
    show(list(zip(_names(targets), runs, strict=True)), plan, json_file, png)


def _check_pace(checks: Checks, concurrency: int | None, rate: float | None, burst: float | None) -> None:
    checks.refuse(
        "--concurrency (a closed loop) and --rate (an open loop) exclude each other: give one",
        when=concurrency is not None and rate is not None,
    )
    checks.refuse(
        "--burst is about when the requests of an open loop come: give --rate too",
        when=burst is not None and rate is None,
    )


def _check_length(checks: Checks, requests: int | None, duration: float | None, rate: float | None) -> None:
    checks.refuse(
        "--requests and --duration both say how long a round is: give one",
        when=requests is not None and duration is not None,
    )
    checks.refuse(
        f"--duration {duration or 0:g}: at --rate {rate or 0:g} no request comes in it: give a longer one",
        when=duration is not None and rate is not None and duration * rate < 1,
    )


def _check_callers(checks: Checks, keys: Sequence[str], others: Sequence[str], zipf: float) -> None:
    for option, given in (("--api-key", keys), ("--against-api-key", others)):
        for key in given:
            checks.key(option, key)
    checks.refuse(
        f"{len(others)} --against-api-key for {len(keys)} --api-key: give one for all, or one for each",
        when=len(others) > 1 and len(others) != len(keys),
    )
    checks.refuse("--key-zipf is about several keys: repeat --api-key", when=zipf != 0 and len(keys) < 2)


def _checked(target: Target) -> Target:
    """The target, and whether it routes. Ends the command unless it answers and lists what is asked for; one
    that has no list is asked for what was named."""
    from deploy.bench.serving.traffic import AUTO
    from pointsman.cli.gateway import GatewayError, NotRunning, Refused, call

    url = target.url.rstrip("/").removesuffix("/v1")
    try:
        key = next(iter(target.keys), None)
        listed = call(url, "GET", "/v1/models", key=key, headers=dict(target.headers))
        offered = [str(card["id"]) for card in listed["data"]]
    except NotRunning:
        fail(f"nothing answers at {url}: start the server there, or give the address of another", REFUSED)
    except Refused as exc:
        if target.models and exc.status in _NO_LIST:
            say(f"{url} lists no models (HTTP {exc.status} at /v1/models): asked as named")
            return target
        fail(f"{url}: {exc}", REFUSED)
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
