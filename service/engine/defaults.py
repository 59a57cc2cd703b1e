"""What vLLM samples with where a request does not say: its own rules, read from the base's files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.sections import EngineSettings

_VLLMS: Mapping[str, float] = MappingProxyType({"temperature": 1.0, "top_p": 1.0})
_SOURCE = "generation-config"  # words of vLLM's command line: "auto", "vllm" or a folder,
_OVERRIDE = "override-generation-config"  # and values before those of the file


def sampling_defaults(settings: EngineSettings) -> dict[str, float]:
    """``temperature`` and ``top_p`` of a request that has none.

    The base's ``generation_config.json`` says them, where its folder is known and vLLM was not told another;
    else they are vLLM's own. Of servers that others run the same is taken.
    """
    found = dict(_VLLMS)
    given_words = {} if settings.urls else dict(words(settings.arguments))
    source = given_words.get(_SOURCE, "auto")
    folder = settings.folder if source == "auto" else None if source == "vllm" else Path(source)
    given = [{} if folder is None else _object_in(folder / "generation_config.json")]
    given.append(_object(given_words.get(_OVERRIDE, "{}")))
    given.append({name: _value(given_words.get(f"{_OVERRIDE}.{name}", "null")) for name in found})
    for values in given:
        found |= {name: values[name] for name in found if type(values.get(name)) in (int, float)}
    return found


def words(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options on a command line with their values: ``--name value`` and ``--name=value``."""
    for at, word in enumerate(arguments):
        name, given, value = word.partition("=")
        if name.startswith("--"):
            option, dot, key = name[2:].partition(".")  # --option.key sets one value of an object
            following = arguments[at + 1] if at + 1 < len(arguments) else ""
            yield option.replace("_", "-") + dot + key, value if given else following


def _object_in(path: Path) -> Mapping[str, Any]:
    try:
        return _object(path.read_text(encoding="utf-8"))
    except OSError:  # none: vLLM has its own then
        return {}


def _object(text: str) -> Mapping[str, Any]:
    found = _value(text)
    return found if isinstance(found, dict) else {}


def _value(text: str) -> Any:
    """``text`` read as JSON; None where it is none: vLLM then does not start, or passes over the file."""
    try:
        return json.loads(text)
    except ValueError:
        return None
