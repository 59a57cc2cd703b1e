"""How far the numbers of the base's tokens go, by vLLM's rule for a prompt, where its files say so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from service.engine.defaults import words
from service.sections import EngineSettings

_OTHER_WAYS = (  # words of vLLM's command line that name another tokenizer or another size
    *("tokenizer", "tokenizer-mode", "config-format", "hf-config-path", "hf-overrides"),
)


def last_token(settings: EngineSettings) -> int | None:
    """The greatest token id: the tokenizer's or the model's, whichever has more.

    None where nobody knows it: of a hub id, of a tokenizer that is not in ``tokenizer.json``, and where vLLM
    is told of another. Of servers that others run the base is taken to be the settings', as adapters are
    checked against it.
    """
    named = {option.partition(".")[0] for option in dict(words(settings.arguments))}
    if settings.folder is None or not named.isdisjoint(_OTHER_WAYS):
        return None
    tokenizer, config = (_object_in(settings.folder / name) for name in ("tokenizer.json", "config.json"))
    size = config.get("vocab_size") or _object(config.get("text_config")).get("vocab_size")
    vocabulary = _object(tokenizer.get("model")).get("vocab")
    if not isinstance(size, int) or not vocabulary:
        return None
    added: list[int] = [one["id"] for one in tokenizer.get("added_tokens") or ()]
    listed = isinstance(vocabulary, list)  # as Unigram's is, by the ids
    own: Iterable[int] = [len(vocabulary) - 1] if listed else vocabulary.values()
    return max(size - 1, *own, *added)


def _object_in(path: Path) -> dict[str, Any]:
    try:
        return _object(orjson.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
