"""The words and the environment of the child."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from service.engine.command import ALLOWED_RANKS, command, engine_rank, environment
from service.sections import EngineSettings


def settings(**changes: object) -> EngineSettings:
    return EngineSettings.model_validate({"model": "/models/base", "model_name": "demo", **changes})


@pytest.mark.parametrize(("asked", "told"), [(1, 1), (2, 8), (8, 8), (12, 16), (200, 256), (512, 512)])
def test_tells_vllm_the_next_rank_that_it_allows(asked: int, told: int) -> None:
    assert engine_rank(asked) == told
    words = command(settings(max_lora_rank=asked), 1234)
    assert words[words.index("--max-lora-rank") + 1] == str(told)


def test_the_ranks_are_those_of_the_installed_vllm() -> None:
    source = pytest.importorskip("importlib.util").find_spec("vllm")
    if source is None or not source.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    from pathlib import Path

    text = (Path(source.submodule_search_locations[0]) / "config" / "lora.py").read_text("utf-8")
    ranks = ", ".join(map(str, ALLOWED_RANKS))
    assert f"MaxLoRARanks = Literal[{ranks}]" in text


def test_only_this_machine_reaches_the_child() -> None:
    words = command(settings(), 1234)
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "1234"


def test_the_settings_words_come_last_and_win() -> None:
    assert command(settings(arguments=["--dtype", "float32"]), 1)[-2:] == ["--dtype", "float32"]


def test_the_key_is_in_the_environment_and_not_in_the_words() -> None:
    assert environment(settings(), {}, "secret")["VLLM_API_KEY"] == "secret"
    assert "secret" not in command(settings(), 1)


def test_the_settings_environment_wins_and_byte_code_is_kept() -> None:
    inherited = {"PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    found = environment(settings(environment={"DO_NOT_TRACK": "0"}), inherited, "k")
    assert found["PATH"] == "/bin"
    assert found["DO_NOT_TRACK"] == "0"
    assert "PYTHONDONTWRITEBYTECODE" not in found


def test_what_one_dnn_keeps_is_bounded_unless_somebody_says_otherwise() -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    assert int(environment(settings(), {}, "k")[name]) < 1_024
    assert environment(settings(), {name: "512"}, "k")[name] == "512"
    assert environment(settings(environment={name: "64"}), {name: "512"}, "k")[name] == "64"


def test_a_hub_id_may_be_downloaded_and_a_folder_not() -> None:
    assert environment(settings(), {}, "k")["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(settings(model="Qwen/Qwen3-8B"), {}, "k")


def test_twice_as_many_adapters_are_kept_as_run_in_one_batch_or_as_many_as_the_settings_say() -> None:
    def kept(**changes: int) -> list[str]:
        words = command(settings(**changes), 1)
        return [words[words.index(option) + 1] for option in ("--max-loras", "--max-cpu-loras")]

    assert kept(max_loras=4) == ["4", "8"]
    assert kept(max_loras=4, max_cpu_loras=64) == ["4", "64"]
    with pytest.raises(ValidationError, match="3 adapters in memory are fewer than the 4"):
        settings(max_loras=4, max_cpu_loras=3)
