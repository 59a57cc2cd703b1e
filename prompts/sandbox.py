"""The small language of the templates: Jinja without anything that could call, import or blow up.

Left are variables and their fields, ``if``, ``for``, ``set`` and the filters of ``FILTERS``. What is not
allowed is found when a template is compiled, with its line, and not when a request meets it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

# fmt: off
FILTERS = frozenset({
    "capitalize", "default", "dictsort", "first", "float", "int", "items", "join", "last", "length", "list",
    "lower", "map", "max", "min", "reject", "rejectattr", "replace", "round", "select", "selectattr", "sort",
    "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
})
# fmt: on
_REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.CallBlock: "a call",
    nodes.Macro: "a macro",
    nodes.Include: "an include",
    nodes.Import: "an import",
    nodes.FromImport: "an import",
    nodes.Extends: "an extends",
    nodes.Block: "a block",
    nodes.Mul: "the operator *",
    nodes.Pow: "the operator **",
    nodes.Mod: "the operator %",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that a template's text must not hold; ``line`` is 1-based within the text."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a template reads a variable; ``line`` is 1-based within the text."""

    line: int
    name: str


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.filters["tojson"] = _json  # Jinja's own escapes < and ' for HTML
    return environment


ENVIRONMENT = _environment()


def inspect(text: str) -> tuple[list[Use], list[Flaw]]:
    """The variables that ``text`` reads, and all that is wrong with it."""
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateSyntaxError as exc:
        return [], [Flaw(exc.lineno, exc.message or "not a template")]
    flaws = list(_flaws(tree))
    for unknown in tree.find_all((nodes.Filter, nodes.Test)):  # reported; would keep the names from us
        unknown.name = "upper" if isinstance(unknown, nodes.Filter) else "defined"
    free = meta.find_undeclared_variables(tree)
    uses = [Use(node.lineno, node.name) for node in tree.find_all(nodes.Name) if node.name in free]
    return uses, flaws


def _flaws(tree: nodes.Template) -> Iterable[Flaw]:
    for node in tree.find_all(nodes.Node):
        if type(node) in _REFUSED:
            yield Flaw(node.lineno, f"{_REFUSED[type(node)]} is not allowed in a prompt")
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield Flaw(node.lineno, f"no filter {node.name!r}; known: {', '.join(sorted(FILTERS))}")
        elif isinstance(node, nodes.Test) and node.name not in ENVIRONMENT.tests:
            yield Flaw(node.lineno, f"no test {node.name!r}")
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            yield Flaw(node.lineno, f"the field {node.attr!r} is private")
        elif isinstance(node, nodes.Getitem) and _private(node.arg):
            yield Flaw(node.lineno, "a field that begins with _ is private")


def _private(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and str(node.value).startswith("_")


def compile_text(text: str) -> Template:
    """``text`` as a template; only for text in which :func:`inspect` found no flaw."""
    return ENVIRONMENT.from_string(text)
