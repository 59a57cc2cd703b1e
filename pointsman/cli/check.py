"""``pointsman check``: whether settings can be served, a recipe trained, a release begun; starts nothing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pointsman.cli.options import DEMO_CONFIG
from pointsman.cli.terminal import Progress, err, out, reported, say
from pointsman.cli.train import RunsOption, SetOption, line

if TYPE_CHECKING:
    from service.routes import RouteTable
    from service.settings import Settings

_MEASURED = {"loss", "general", "tools", "preferences", "answers", "judged", "lm_eval"}  # by evaluation plans


def check(
    config: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway's settings, a recipe, a release, or a plan.")
    ] = DEMO_CONFIG,
    overrides: SetOption = None,
    router: Annotated[
        bool, typer.Option("--router", help="Of settings: fit the router as well, and say what it warns of.")
    ] = False,
    runs: RunsOption = Path("runs"),
) -> None:
    """Read settings with their routes and prompts, or a recipe with its data, and say all that is wrong.

    A plan of `eval model` or of `data build` is read too, with its rows; no server is asked.

    MCP servers that routes name are asked for their tools, for ten seconds at most.
    Of a recipe it says too how the result is served, what the training will need, and whether the folder of
    its run in `--runs` holds another one. Of a release it reads its training recipe as well.

    Examples:

    - `pointsman check` reads the demo's settings
    - `pointsman check deploy/examples/qwen3-8b.yaml`
    - `pointsman check --router` warns of routes that never fire, or can't be told apart
    - `pointsman check deploy/demo/recipes/support.yaml`
    - `pointsman check deploy/demo/evaluations/support.yaml`
    """
    from pointsman.document import DocumentError
    from pointsman.problems import Problem

    with reported(DocumentError):
        kind = _kind(config)
        if kind != "settings" and router:
            problem = f"--router is for settings, and this is {'an' if kind[0] == 'e' else 'a'} {kind}"
            raise DocumentError(config, [Problem(None, "", problem)])
        if kind == "recipe":
            _check_recipe(config, overrides or [], runs)
            return
        if overrides:
            raise DocumentError(config, [Problem(None, "", "--set is for recipes, and this is none")])
        if kind == "release":
            _check_release(config)
            return
        if kind == "evaluation plan":
            _check_evaluation(config)
            return
        if kind == "build plan":
            _check_build(config)
            return
    _check_settings(config, router)


def _kind(path: Path) -> Literal["settings", "recipe", "release", "evaluation plan", "build plan"]:
    """A recipe has a stage, or what recipes have, another program's too; a release has a gate; plans have
    what they ask. Settings have none of them.
    """
    from pointsman import document
    from pointsman.document import DocumentError
    from pointsman.problems import Problem

    text = document.read(path)
    content = document.plain(text, path)
    if content is not None and not isinstance(content, dict):
        raise DocumentError(path, [Problem(1, "", "must be a mapping, keys with values")])
    keys = content or {}
    if {"stage", "data"} & keys.keys() or isinstance(keys.get("train"), dict):  # a release names a file
        return "recipe"
    if {"alias", "gate"} & keys.keys():
        return "release"
    if {"teacher", "questions"} & keys.keys():
        return "build plan"
    if _MEASURED & keys.keys():
        return "evaluation plan"
    return "recipe" if _is_foreign(keys) else "settings"


def _is_foreign(keys: Collection[str]) -> bool:
    """Whether ``keys`` are none of the gateway's, and some are of a recipe of another program."""
    from service.settings import Settings
    from training.recipe import words

    return not any(key in Settings.model_fields for key in keys) and any(
        key in words.KEYS or key in words.OTHERWISE for key in keys
    )


def _check_release(path: Path) -> None:
    from pointsman import document
    from training.release.recipe import ReleaseRecipe

    release = document.load(ReleaseRecipe, path)
    if release.train is not None:
        _check_recipe(release.train, [], None)  # a release trains in a folder of its own
    steps = ", ".join(f"{step.weight} %" for step in release.canary.steps) if release.canary else "no canary"
    say(f"{path}: releases {release.alias} by {len(release.gate)} rows of a gate ({steps}): no problems")


def _check_recipe(path: Path, overrides: list[str], runs: Path | None) -> None:
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from training.errors import TrainingError
    from training.preflight.check import check as preflight
    from training.run import quieten

    quieten()
    with reported(TrainingError, ArtefactError):
        found = preflight(path, overrides, line, runs)
    for text in found.lines:
        say(text)
    say(f"{path}: no problems")


def _check_evaluation(path: Path) -> None:
    from pointsman import document
    from training.errors import TrainingError
    from training.evaluation.load import look
    from training.evaluation.plan import Plan

    plan = document.load(Plan, path)
    with reported(TrainingError, OSError):
        look(plan)
    parts = [f"{kind}.{name}" for kind in sorted(_MEASURED - {"lm_eval"}) for name in getattr(plan, kind)]
    if plan.lm_eval:
        parts.append("lm_eval")
    say(f"{path}: measures {', '.join(parts)}: no problems; `eval model` cuts the rows by its tokenizer")


def _check_build(path: Path) -> None:
    from chains.errors import ChainError
    from chains.tools import tool_by_name
    from pointsman import document
    from training.building import questions
    from training.building.plan import BuildPlan
    from training.errors import TrainingError

    plan = document.load(BuildPlan, path)
    with reported(TrainingError, ChainError):
        for name in plan.tools:
            tool_by_name(name)
        asked = questions.load(plan)
    say(f"{path}: asks {plan.teacher.model} {len(asked)} questions: no problems")


def _check_settings(config: Path, router: bool) -> None:
    from service.configuration import load_configuration
    from service.errors import ConfigurationRejected, RoutesRejected
    from service.tool_servers import check_servers

    with reported(ConfigurationRejected, RoutesRejected):
        settings, table = load_configuration(config)
        with _quiet("mcp"):  # of a server that answers nonsense it logs a traceback, and we say a line
            unasked = check_servers(settings.router.routes, table)
    from rich.table import Table

    shown = Table("intent", "prompt", "chain", "adapter", "tools", title=str(config), title_justify="left")
    for route in table.all():
        prompt = f"{route.prompt.name}@{route.prompt.version}" if route.prompt else "none"
        shown.add_row(
            route.intent, prompt, route.chain_name, route.adapter or "the base", ", ".join(route.tools)
        )
    out().print(shown)
    learned = _learned(config) if router else ()
    unnamed = _broken_chains(table)
    warnings = [*_not_served(settings), *_waiting(settings, table), *unnamed, *unasked, *learned]
    for warning in warnings:
        err().print(f"warning: {warning}", markup=False, soft_wrap=True)
    engine = ", ".join(settings.engine.urls) or f"vLLM with {settings.engine.model}"
    say(f"served by {engine} as {settings.engine.model_name}: no problems{_many(warnings)}")


def _many(warnings: Sequence[str]) -> str:
    return f", {len(warnings)} warning{'s' if len(warnings) > 1 else ''}" if warnings else ""


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Within it the library ``name`` logs nothing."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _broken_chains(table: RouteTable) -> list[str]:
    """What is wrong with the installed chains that no route names, as sentences."""
    from chains.errors import ChainBroken, ChainOptionsError
    from chains.registry import chain_by_name, chain_names

    found = []
    for name in sorted({*chain_names()} - {route.chain_name for route in table.all()}):
        try:
            chain_by_name(name)
        except ChainOptionsError:  # which a route gives, and no request
            continue
        except ChainBroken as exc:
            found.append(f"{exc}; who names it by x-pointsman-chain gets a 500")
    return found


def _not_served(settings: Settings) -> list[str]:
    """What the preloaded adapters' own configs say against serving them; their weights are not looked at."""
    from service.adapters.peft_config import read_config

    adapters, rank = settings.adapters, settings.engine.max_lora_rank
    return [
        f"adapters.preload.{alias} will not be served: {problem}"
        for alias, folder in adapters.preload.items()
        for problem in read_config(adapters.folder / folder, folder, rank)[1]
    ]


def _learned(config: Path) -> tuple[str, ...]:
    """What the router warns of once it is fitted, as the gateway does at its start."""
    from pointsman.cli.local import LOCAL_ERRORS, local_router
    from router.learning.report import messages

    with reported(*LOCAL_ERRORS, OSError), Progress() as report:
        table, fitted = local_router(config, report)
    return messages(table.policy.warnings(table.examples, fitted.report.warnings))


def _waiting(settings: Settings, table: RouteTable) -> list[str]:
    """The routes whose adapter has no live version and will get none at the start, as sentences.

    Where nothing says which adapters there are, neither a registry nor the settings, there are none.
    """
    from service.errors import RegistryUnavailable

    try:
        live = _live(settings.database_url)
    except RegistryUnavailable as exc:
        return [f"{exc}; whether the routes' adapters are live was not looked at"]
    if live is None and not settings.adapters.preload:
        return []
    known = sorted({*(live or ()), *settings.adapters.preload})
    found = []
    for route in table.all():
        if route.adapter is not None and route.adapter not in known:
            close = get_close_matches(route.adapter, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "promote one"
            waits = f"{route.title} will wait for the adapter {route.adapter!r}"
            found.append(f"{waits}, which has no live version: {hint}")
    return found


def _live(database: str) -> list[str] | None:
    """The aliases with a live version in the registry; None where there is none yet.

    Raises:
        RegistryUnavailable
    """
    from sqlalchemy.engine import make_url

    from service.adapters.registry import Registry

    url = make_url(database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None  # looking would make one
    registry = Registry(database)
    try:
        return list(registry.live())
    finally:
        registry.close()
