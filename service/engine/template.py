"""Whether the base's chat template reads how much it is to reason, where the template is known."""

from __future__ import annotations

import json
import re
from pathlib import Path

from service.engine.defaults import words
from service.sections import EngineSettings

_EFFORT = re.compile(r"\b(?:reasoning_effort|enable_thinking)\b")  # vLLM fills both from reasoning_effort
_OTHER_WAYS = ("chat-template", "tokenizer", "tokenizer-mode", "config-format", "trust-remote-code")


def reads_effort(settings: EngineSettings) -> bool:
    """Whether ``reasoning_effort`` may change an answer: also where nobody knows the template.

    It is not known of servers that others run, of a hub id, and where vLLM is told another way to a template.
    """
    given = dict(words(settings.arguments))
    if settings.urls or settings.folder is None or not given.keys().isdisjoint(_OTHER_WAYS):
        return True
    text = _template(settings.folder)
    return text is None or _EFFORT.search(text) is not None


def _template(folder: Path) -> str | None:
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    template = found.get("chat_template") if isinstance(found, dict) else None
    return None if template is None else json.dumps(template)
