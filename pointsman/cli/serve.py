"""``pointsman serve``: the engine and the gateway of one configuration, until Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption
from pointsman.cli.terminal import REFUSED, Progress, err, fail, reported, say

if TYPE_CHECKING:
    from service.settings import Settings

READY = "ready: "  # how the line begins that service.server reports when requests are answered
WARNING = "warning: "  # and about routes that won't work well; these come first
PROBLEM = "problem: "  # and about what has to be mended while it runs
ADMIN_KEY_FILE = "admin.key"
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, show_default=False, help="Another port; 0: a free one."),
]


def serve(config: ConfigOption = DEMO_CONFIG, port: PortOption = None) -> None:
    """Start vLLM with its adapters and the gateway, say when they are ready, and stop both on Ctrl-C.

    What would go wrong later is looked at first: settings, routes and prompts, the port, compilers, memory.

    Examples:

    - `pointsman serve` serves the demo on 127.0.0.1:8000
    - `pointsman serve --port 8080`
    - `pointsman serve --config deploy/examples/qwen3-8b.yaml`
    """
    settings, example = _checked(config, port)
    from service.server import serve as run

    welcomed = False
    with Progress() as progress:

        def report(line: str) -> None:
            nonlocal welcomed
            if line.startswith((WARNING, PROBLEM)):
                progress.stop()
                style = "red" if line.startswith(PROBLEM) else "yellow"
                err().print(line, style=style, markup=False, soft_wrap=True)
                return
            if not line.startswith(READY):
                progress(line)
                return
            progress.stop()
            if welcomed:  # the engine came back
                err().print(line, markup=False)
            else:
                _welcome(settings, config, line.removeprefix(READY), example)
                welcomed = True

        report("starting the gateway")
        status = run(settings, report)
    if status:
        fail(progress.last, status)
    err().print("stopped; nothing is left running")
    _leave()


def _leave() -> None:
    """End here where a thread still fits the router: Python's own end would abort in its C++."""
    from chains.daemon import at_work

    if at_work():
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def _checked(config: Path, port: int | None) -> tuple[Settings, str]:
    """The settings with ``port`` in them and a request to try; all that is wrong is said at once."""
    from pointsman.cli import preflight
    from service.configuration import load_configuration
    from service.errors import ConfigurationRejected

    with reported(ConfigurationRejected, status=REFUSED):
        settings, table = load_configuration(config)
    if port is not None:
        gateway = settings.gateway.model_copy(update={"port": port})
        settings = settings.model_copy(update={"gateway": gateway})
    problems = [*preflight.port_problems(settings.gateway.host, settings.gateway.port)]
    if not settings.engine.urls:
        if find_spec("vllm") is None:
            problems.append("vLLM is not installed here: make env (make env ACCEL=cuda with an NVIDIA GPU)")
        if settings.engine.compiles:
            problems += preflight.compiler_problems()
        problems += preflight.memory_problems()
    if problems:
        fail("\n".join(problems), REFUSED)
    return settings, next(iter(table.examples.intents.values()))[0]


def _welcome(settings: Settings, config: Path, url: str, example: str) -> None:
    """What to try, now that requests are answered."""
    body = {"model": "auto", "messages": [{"role": "user", "content": example}]}
    key = "  -H 'authorization: Bearer YOUR-KEY'" if settings.gateway.api_keys else ""
    gateway = url.removesuffix("/v1")
    where = "" if gateway == DEFAULT_URL else f" --url {gateway}"
    served = "" if config.resolve() == DEMO_CONFIG else f" --config {config}"
    lines = (
        f"curl {url}/chat/completions -H 'content-type: application/json'{key} \\",
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        "",
        f"{_command()} route {shlex.quote(example)}{where}",
        f"{_command()} adapters list{where}{served}",
    )
    say(f"[bold green]ready[/] at {url}; in another terminal, try\n", markup=True)
    for line in lines:
        say(f"  {line}".rstrip())
    admin = "its digest is in the settings" if settings.gateway.admin_key else settings.state / ADMIN_KEY_FILE
    say(f"\nadmin key: {admin}\nlogs: {settings.state}\nCtrl-C stops everything")


def _command() -> str:
    """How this command was called, short enough to type again."""
    called = Path(sys.argv[0]).absolute()
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)
