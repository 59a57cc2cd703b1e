"""Answers from a server: a small one here, which loads adapters and samples with them as vLLM does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from pointsman import artefact
from tests.training.asking import Online
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import RolloutError
from training.models import base as bases
from training.online.answers import LocalSampler
from training.recipe import Sampling


class Engine:
    """vLLM's three endpoints over one base; remembers what it was asked."""

    def __init__(self, base: Path) -> None:
        self.model: Any = None
        self.base = base
        self.live: list[str] = []
        self.loaded: list[str] = []
        self.seeds: list[int] = []
        self.lock = threading.Lock()

    def load_lora_adapter(self, body: dict[str, Any]) -> tuple[int, Any]:
        name = body["lora_name"]
        if name in self.loaded:
            return 400, f"{name} has been loaded before"
        plain: Any = self.model or bases.load_model(str(self.base))
        if self.model is None:
            self.model = PeftModel.from_pretrained(plain, body["lora_path"], adapter_name=_plain(name))
        else:
            self.model.load_adapter(body["lora_path"], adapter_name=_plain(name))
        self.loaded.append(name)
        self.live.append(name)
        return 200, "Success"

    def unload_lora_adapter(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.live.remove(body["lora_name"])
        return 200, "Success"

    def completions(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["model"] not in self.live:
            return 404, "no such model"
        assert body["return_token_ids"]
        self.seeds.append(body["seed"])
        torch.set_num_threads(1)  # of this thread
        self.model.set_adapter(_plain(body["model"]))
        plan = Sampling(max_new_tokens=body["max_tokens"], temperature=body["temperature"])
        sampler = LocalSampler(self.model, plan, tuple(body["stop_token_ids"]), 0)
        ids = sampler.sample([body["prompt"]], body["seed"]).ids[0]
        return 200, {"choices": [{"index": 0, "token_ids": ids, "finish_reason": "stop"}]}


def _plain(name: str) -> str:
    return name.replace("@", "-")


@pytest.fixture
def served(speaker: Path) -> Iterator[Callable[[Any], str]]:
    """``served(engine)`` gives the engine a URL."""
    servers: list[ThreadingHTTPServer] = []

    def serve(engine: Any) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with engine.lock:
                    status, said = getattr(engine, self.path.rpartition("/")[2])(body)
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_run_samples_from_the_server_with_a_new_version_each_step(
    online: Online, speaker: Path, tmp_path: Path, served: Callable[[Any], str]
) -> None:
    engine = Engine(speaker)
    changes = {
        "value.warmup_steps": 1,
        "sampling.temperature": 2.0,  # hot enough that rewards differ
        "sampling.max_new_tokens": 4,
        "data.validation_rows": 2,
        "train.rollout_rows": 4,
    }
    path = online("ppo", server={"url": served(engine)}, **changes)
    made = run.train(path, runs=tmp_path, report=quiet)
    # The adapter as it began (the evaluation, and two steps, as the first one changed the value head alone),
    # after steps 2 and 3; rounding the last one for serving changes nothing for the server.
    assert len(engine.loaded) == 3
    assert all(name.startswith("tiny-training@") for name in engine.loaded)
    assert engine.loaded[-1] == f"tiny-training@{artefact.version_of(made)}"
    assert engine.live == []  # it is left as it was found
    assert len(set(engine.seeds)) >= 3 * 4  # every answer of a step has its own seed
    assert not list((tmp_path / "tiny" / "served").glob("tiny*"))
    lines = metrics(tmp_path / "tiny")
    assert [line["step"] for line in lines if "reward" in line] == [1, 2, 3]
    assert abs(lines[-1]["eval_kl"]) > 1e-3
    assert torch.isfinite(
        torch.tensor([line["policy_loss"] for line in lines if "policy_loss" in line])
    ).all()


def test_a_server_that_is_not_there(online: Online, tmp_path: Path) -> None:
    path = online("ppo", server={"url": "http://127.0.0.1:9"})
    with pytest.raises(RolloutError, match=r"http://127\.0\.0\.1:9/v1/load_lora_adapter: .*refused"):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_server_that_takes_no_adapters(
    online: Online, tmp_path: Path, served: Callable[[Any], str]
) -> None:
    class Closed:
        lock = threading.Lock()

        def load_lora_adapter(self, body: dict[str, Any]) -> tuple[int, Any]:
            return 404, "Not Found"

    path = online("ppo", server={"url": served(Closed())})
    with pytest.raises(RolloutError, match=r"404 .*Not Found.*VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_server_that_gives_texts_alone(
    online: Online, speaker: Path, tmp_path: Path, served: Callable[[Any], str]
) -> None:
    class Texts(Engine):
        def completions(self, body: dict[str, Any]) -> tuple[int, Any]:
            return 200, {"choices": [{"index": 0, "text": "red"}]}

    path = online("ppo", server={"url": served(Texts(speaker))})
    with pytest.raises(RolloutError, match="answered without token ids"):
        run.train(path, runs=tmp_path, report=quiet)
