"""Other proxies in front of the engine that answers at once, asked as the gateway alone is.

LiteLLM is no dependency of ours: install it where you like (``python -m venv DIR && DIR/bin/pip install
'litellm[proxy]'``) and name its command with ``--litellm DIR/bin/litellm``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import yaml

from deploy.bench.beside import processes
from deploy.bench.beside.processes import Running

_KEY = "sk-none"  # LiteLLM wants one for the engine, which wants none


@contextmanager
def litellm(
    command: Path, engine: str, model: str, log: Path, core: int | None
) -> Generator[Running, None, None]:
    """LiteLLM's proxy with one worker that passes ``model`` on to ``engine``, on one core if told which."""
    settings = {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": {"model": f"openai/{model}", "api_base": f"{engine}/v1", "api_key": _KEY},
            }
        ],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    config = log.with_suffix(".yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    words = [*pinned, str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = os.environ | {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on loopback, as our gateway here
    }
    with processes.serving(words, env, log, f"http://127.0.0.1:{port}/health/liveliness") as found:
        yield found
