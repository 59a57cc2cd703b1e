"""YAML by the core schema of version 1.2, where PyYAML's own loaders follow YAML 1.1; and as JSON's values.

So a date stays the text that it is, ``on`` and ``no`` are texts, and 012 is twelve. What is written here is
read as the same by both versions.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import yaml

_TAG = "tag:yaml.org,2002:"
_SCALARS = {  # tag → its pattern (specification, 10.3.2), and what it can begin with
    "null": (r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
MERGE = f"{_TAG}merge"  # of a key that YAML 1.1 has, and the core schema has not
_BASES = {"0o": 8, "0x": 16}


def read_core(text: str) -> Any:
    """What YAML or JSON ``text`` holds, in JSON's types.

    Raises:
        yaml.YAMLError: it is not YAML, gives a key twice, or holds what JSON has no value for.
        ValueError: a tag promises a number that is none.
        RecursionError: it is nested too deep.
    """
    return yaml.load(text, Loader=_JsonLoader)


def write_core(value: Any) -> str:
    """``value``, of JSON's types, as YAML with its keys in their order.

    A text that either version would take for something else is quoted.
    """
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)


class CoreLoader(yaml.SafeLoader):
    """The core schema; of numbers also those that JSON has none for."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(f"{_TAG}{name}" for name in ("null", "bool", "str", "seq", "map")))
    }

    def text_of(self, node: yaml.ScalarNode) -> str:
        text: str = node.value
        return text

    def int_of(self, node: yaml.ScalarNode) -> int:
        base = _BASES.get(node.value[:2], 10)
        return int(node.value if base == 10 else node.value[2:], base)

    def float_of(self, node: yaml.ScalarNode) -> float:
        return float(re.sub(r"\.(?=inf|nan)", "", node.value.lower()))


class _JsonLoader(CoreLoader):
    """A mapping's keys are texts, as they are written; the merge key (``<<``) of YAML 1.1 is read still."""

    def finite_of(self, node: yaml.ScalarNode) -> float:
        if not math.isfinite(number := self.float_of(node)):
            raise _wrong(f"{node.value} is no number of JSON", node)
        return number

    def mapping_of(self, node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _wrong("a mapping is expected", node)
        seen = set[str]()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong("a key must be text", key)
            if key.value in seen:
                raise _wrong(f"the key {key.value!r} is given twice", key)
            seen.add(key.value)
        self.flatten_mapping(node)
        node.value = list(
            {key.value: (key, value) for key, value in node.value}.values()
        )  # an alias comes again
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def _wrong(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


class _Dumper(yaml.SafeDumper):
    def of_text(self, text: str) -> yaml.ScalarNode:
        """In double quotes where a line ends otherwise than by a newline, which is folded in single ones."""
        style = '"' if re.search("[\x85\u2028\u2029]", text) else None
        return self.represent_scalar(f"{_TAG}str", text, style)


CoreLoader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in _SCALARS.items():
    for _kind in (CoreLoader, _Dumper):
        _kind.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Dumper.add_representer(str, _Dumper.of_text)
CoreLoader.add_constructor(MERGE, CoreLoader.text_of)  # as a value
CoreLoader.add_constructor(f"{_TAG}int", CoreLoader.int_of)
CoreLoader.add_constructor(f"{_TAG}float", CoreLoader.float_of)
_JsonLoader.yaml_implicit_resolvers = CoreLoader.yaml_implicit_resolvers
_JsonLoader.add_constructor(f"{_TAG}int", CoreLoader.int_of)
_JsonLoader.add_constructor(f"{_TAG}float", _JsonLoader.finite_of)
_JsonLoader.add_constructor(f"{_TAG}map", _JsonLoader.mapping_of)
