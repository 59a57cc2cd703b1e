"""``pointsman route``: which track a conversation takes, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ApiKeyOption, ConfigOption, JsonOption, UrlOption
from pointsman.cli.terminal import Progress, out, reported, say

TextArgument = Annotated[
    list[str], typer.Argument(metavar="TEXT...", help="What the user says; several are one user's turns.")
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Decide here, from the routes of --config: no gateway is needed.")
]


def route(
    text: TextArgument,
    *,
    local: LocalOption = False,
    config: ConfigOption = DEMO_CONFIG,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain which track a conversation takes; nothing is generated.

    Examples:

    - `pointsman route "Where is my parcel PX-1042?"`
    - `pointsman route "我的包裹到哪里了？" "那另一个呢？"` — a follow-up stays on its track
    - `pointsman route --local "What is 12 plus 30?"`
    """
    messages = [{"role": "user", "content": turn} for turn in text]
    answer = _decide_here(messages, config) if local else _ask(messages, url, api_key)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        _show(answer)


def _ask(messages: list[dict[str, str]], url: str, api_key: str | None) -> dict[str, Any]:
    from pointsman.cli.gateway import GatewayError, call

    with reported(GatewayError):
        answer: dict[str, Any] = call(url, "POST", "/v1/route", key=api_key, body={"messages": messages})
    return answer


def _decide_here(messages: list[dict[str, str]], config: Path) -> dict[str, Any]:
    from pointsman.cli.local import LOCAL_ERRORS, local_router

    with reported(*LOCAL_ERRORS), Progress() as report:
        table, router = local_router(config, report)
        report("deciding")
        decision = router.decide(messages)
    from service.gateway import explain

    return explain(decision, table.route(decision.intent))


def _show(answer: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    say(_verdict(answer), markup=True)
    taken = answer["route"]
    adapter = taken["adapter"] or "the base"
    tools = f", tools {', '.join(taken['tools'])}" if taken["tools"] else ""
    say(f"→ prompt {taken['prompt'] or 'none'}, chain {taken['chain']}, adapter {adapter}{tools}")
    for name, value in answer["parameters"].items():
        say(f"{name} = {value}")
    if answer["rule"] is not None:
        return
    if answer["sentence"] is not None:
        say(f"decided by a sentence of it: {answer['sentence']!r}")
    for sentence in answer["orders"]:
        read = "all there is, so it is not trusted" if sentence in answer["text"] else "not read"
        say(f"an order to the router, {read}: {sentence!r}")
    for word, meant in answer.get("read_as", {}).items():
        say(f"{word!r} was read as {meant!r}")
    table = Table("intent", "confidence", "", box=None, padding=(0, 2, 0, 0))
    for entry in answer["top"]:
        table.add_row(entry["intent"], f"{entry['confidence']:.3f}", "█" * round(30 * entry["confidence"]))
    out().print(table)
    near = Table("nearest example", "intent", "similarity", box=None, padding=(0, 2, 0, 0))
    for entry in answer["nearest"]:
        near.add_row(Text(entry["example"]), entry["intent"] or "out of scope", f"{entry['similarity']:.3f}")
    out().print(near)


def _verdict(answer: dict[str, Any]) -> str:
    """What was decided, in rich's markup."""
    from rich.markup import escape

    confidence, threshold, rule = answer["confidence"], answer["threshold"], answer["rule"]
    decided = "[yellow]abstained[/]" if answer["abstained"] else f"[bold green]{answer['intent']}[/]"
    if rule is not None:
        found = escape(repr(rule["matched"]))
        return f"{decided} by the rule {rule['name']}, which matched {found}; the model was not asked"
    if answer["abstained"]:
        like = f"; it looks like {answer['resembles']}" if answer["resembles"] else ""
        return f"{decided}: the best intent has {confidence:.2f}, {threshold:.2f} is needed{like}"
    return f"{decided} with confidence {confidence:.2f} (over {threshold:.2f})"
