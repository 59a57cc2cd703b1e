"""Other proxies in front of the engine that the gateway stands in front of.

They are no dependencies of ours: install them where you like (``python -m venv DIR && DIR/bin/pip install
'litellm[proxy]'``; ``apt-get install nginx``) and name their commands with ``--litellm DIR/bin/litellm`` and
``--nginx /usr/sbin/nginx``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from deploy.bench.beside import processes
from deploy.bench.beside.processes import Running
from pointsman.ports import free_port

# Starts a proxy in front of an engine's URL and a model of it, with a log, on one core if told which.
Peer = Callable[[str, str, Path, int | None], AbstractContextManager[Running]]

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
    port = free_port()
    words = [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = os.environ | {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on loopback, as our gateway here
    }
    health = f"http://127.0.0.1:{port}/health/liveliness"
    with processes.serving([*_pinned(core), *words], env, log, health) as found:
        yield found


@contextmanager
def nginx(
    command: Path, engine: str, model: str, log: Path, core: int | None
) -> Generator[Running, None, None]:
    """nginx with one worker that passes everything on to ``engine``, streams as they come, without a log."""
    folder, port = log.with_suffix(""), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_NGINX % {"folder": folder, "port": port, "engine": urlsplit(engine).netloc}, "utf-8")
    words = [*_pinned(core), str(command), "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with processes.serving(words, os.environ, log, f"http://127.0.0.1:{port}/v1/models") as found:
        yield found


_NGINX = """\
daemon off;
worker_processes 1;
pid %(folder)s/pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %(folder)s/body;
  proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  keepalive_requests 1000000;
  upstream engine { server %(engine)s; keepalive 512; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:%(port)d backlog=2048;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
"""


def named(nginx_command: Path | None, litellm_command: Path | None) -> dict[str, Peer]:
    """The proxies whose commands there are, by their names."""
    found: dict[str, Peer] = {}
    if nginx_command is not None:
        found["nginx"] = partial(nginx, nginx_command)
    if litellm_command is not None:
        found["LiteLLM"] = partial(litellm, litellm_command)
    return found


def _pinned(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "-c", str(core)]
