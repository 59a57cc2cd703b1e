"""What vLLM samples with where nobody says: looked up as it looks it up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.engine.defaults import sampling_defaults
from service.sections import EngineSettings


def settings(folder: Path, arguments: tuple[str, ...] = (), **more: Any) -> EngineSettings:
    return EngineSettings(model=str(folder), model_name="base", arguments=arguments, **more)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base that has its own way of being sampled."""
    config = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20}
    (tmp_path / "generation_config.json").write_text(json.dumps(config))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "generation_config.json").write_text('{"temperature": 0.2}')
    return tmp_path


def test_the_bases_file_says_it(base: Path) -> None:
    assert sampling_defaults(settings(base)) == {"temperature": 0.6, "top_p": 0.95}
    url = ("http://127.0.0.1:1",)
    assert sampling_defaults(settings(base, urls=url)) == {"temperature": 0.6, "top_p": 0.95}
    ignored = settings(base, ("--generation-config", "vllm"), urls=url)  # the others have their own
    assert sampling_defaults(ignored) == {"temperature": 0.6, "top_p": 0.95}


@pytest.mark.parametrize("text", [None, "{}", '{"temperature": null, "top_p": true}', "[]", "no JSON"])
def test_what_it_does_not_say_is_vllms_own(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "generation_config.json").write_text(text)
    assert sampling_defaults(settings(tmp_path)) == {"temperature": 1.0, "top_p": 1.0}
    hub = EngineSettings(model="owner/name", model_name="base")
    assert sampling_defaults(hub) == {"temperature": 1.0, "top_p": 1.0}


@pytest.mark.parametrize(
    ("arguments", "temperature", "top_p"),
    [
        (("--generation-config", "vllm"), 1.0, 1.0),
        (("--generation_config=vllm",), 1.0, 1.0),
        (("--generation-config", "auto", "--seed", "1"), 0.6, 0.95),
        (("--generation-config", "{base}/other"), 0.2, 1.0),
        (("--override-generation-config", '{"temperature": 0.1}'), 0.1, 0.95),
        (("--generation-config=vllm", '--override-generation-config={"top_p": 0.5}'), 1.0, 0.5),
        (("--override_generation_config.top_p", "0.4"), 0.6, 0.4),
    ],
)
def test_vllms_command_line_goes_before_it(
    base: Path, arguments: tuple[str, ...], temperature: float, top_p: float
) -> None:
    words = tuple(word.replace("{base}", str(base)) for word in arguments)
    assert sampling_defaults(settings(base, words)) == {"temperature": temperature, "top_p": top_p}
