"""The words and the environment that vLLM is started with."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from service.sections import EngineSettings

ALLOWED_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # vllm.config.lora.MaxLoRARanks
# On a CPU oneDNN keeps a program for each shape that it multiplies, so each number of tokens in a batch that
# is new takes room: 1,024 of them, as it comes, are half a gigabyte under the demo, and 256 are as quick.
_DEFAULTS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}
# not lm_head: with an adapter there, prompt_logprobs and echo kill the CPU build's engine
_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def command(settings: EngineSettings, port: int) -> list[str]:
    """vLLM's command line, on loopback: it loads adapters at run time from any path that it is told."""
    return [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--model", settings.model, "--served-model-name", settings.model_name),
        *("--max-model-len", str(settings.max_model_len), "--dtype", settings.dtype),
        *("--enable-lora", "--max-loras", str(settings.max_loras)),
        *("--max-cpu-loras", str(settings.loaded_loras)),
        *("--max-lora-rank", str(engine_rank(settings.max_lora_rank))),
        *("--lora-target-modules", *_LAYERS),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        *("--tool-strict-level", "parameter"),  # a call names a tool that there is, and fits its schema
        "--exclude-tools-when-tool-choice-none",  # a model calls what it reads of, and no parser looks
        "--disable-uvicorn-access-log",
        *settings.arguments,
    ]


def engine_rank(rank: int) -> int:
    """The smallest rank that vLLM can be told which is not under ``rank``."""
    return next((allowed for allowed in ALLOWED_RANKS if allowed >= rank), ALLOWED_RANKS[-1])


def environment(settings: EngineSettings, inherited: Mapping[str, str], key: str) -> dict[str, str]:
    """The child's environment: ours, what vLLM needs, and what the settings say, which wins."""
    ours = {
        "VLLM_API_KEY": key,  # not on the command line, where every user of the machine could read it
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if settings.folder is not None:
        ours["HF_HUB_OFFLINE"] = "1"
    # without byte code on disk each of vLLM's processes compiles its imports again: half a minute
    kept = {name: value for name, value in inherited.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return _DEFAULTS | kept | ours | settings.environment
