"""Whether the base's template reads reasoning_effort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.engine.template import reads_effort
from service.sections import EngineSettings

DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "base"
PLAIN = "{% for message in messages %}{{ message.content }}{% endfor %}"


def settings(folder: Path, **more: Any) -> EngineSettings:
    return EngineSettings(model=str(folder), model_name="base", **more)


def test_the_demos_reads_none() -> None:
    assert not reads_effort(settings(DEMO))


@pytest.mark.parametrize("name", ["reasoning_effort", "enable_thinking"])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_template_that_reads_it(tmp_path: Path, name: str, is_file: bool) -> None:
    def write(text: str) -> None:
        file = "chat_template.jinja" if is_file else "tokenizer_config.json"
        (tmp_path / file).write_text(text if is_file else json.dumps({"chat_template": text}))

    write(PLAIN)
    assert not reads_effort(settings(tmp_path))
    write(f"{{% if {name} %}}{PLAIN}{{% endif %}}")
    assert reads_effort(settings(tmp_path))


def test_a_template_that_is_not_known_may_read_it(tmp_path: Path) -> None:
    assert reads_effort(settings(tmp_path))  # the tokenizer's own code may have one
    (tmp_path / "chat_template.jinja").write_text(PLAIN)
    assert not reads_effort(settings(tmp_path))
    assert reads_effort(settings(tmp_path, urls=["http://127.0.0.1:9"]))
    assert reads_effort(settings(tmp_path, arguments=["--chat-template", "other.jinja"]))
    assert reads_effort(EngineSettings(model="Qwen/Qwen3-8B", model_name="base"))
