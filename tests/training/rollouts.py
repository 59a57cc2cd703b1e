"""A small server that loads adapters and samples with them as vLLM does, and can be made to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from training.models import base as bases
from training.online.answers import LocalSampler
from training.recipe import Sampling

Said = tuple[int, Any]  # status and content


class Engine:
    """vLLM's endpoints over one base; remembers what it was asked."""

    def __init__(self, base: Path, *, processed: bool = True, longest: int = 512, rank: int = 16) -> None:
        self.model: Any = None
        self.base, self.longest, self.rank = base, longest, rank
        self.processed = processed  # True = log-probabilities are of what is drawn
        self.live: dict[str, str] = {}  # adapter → its folder
        self.loaded: list[str] = []
        self.seeds: list[int] = []
        self.asked: list[str] = []  # every path
        self.key: str | None = None  # that requests must have
        self.gone = False  # True = connections are broken
        self.lost_after = 10**9  # completions; then it is gone
        self.lock = threading.Lock()

    def models(self, _: dict[str, Any]) -> Said:
        cards = [{"id": "base", "root": str(self.base), "parent": None, "max_model_len": self.longest}]
        return 200, {"data": [*cards, *({"id": n, "root": r, "parent": "b"} for n, r in self.live.items())]}

    def load_lora_adapter(self, body: dict[str, Any]) -> Said:
        name, folder = body["lora_name"], body["lora_path"]
        if name in self.live:
            return refusal(400, f"The lora adapter '{name}' has already been loaded.")
        asked = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8"))["r"]
        if asked > self.rank:
            return refusal(500, f"LoRA rank {asked} is greater than max_lora_rank {self.rank}.")
        if self.model is None:
            plain: Any = bases.load_model(str(self.base))
            self.model = PeftModel.from_pretrained(plain, folder, adapter_name=_plain(name))
        else:
            self.model.load_adapter(folder, adapter_name=_plain(name))
        self.loaded.append(name)
        self.live[name] = folder
        return 200, "Success"

    def unload_lora_adapter(self, body: dict[str, Any]) -> Said:
        name = body["lora_name"]
        if name not in self.live:
            return refusal(404, f"The lora adapter '{name}' cannot be found.")
        del self.live[name]
        if len(self.model.peft_config) > 1:  # PEFT keeps the last one
            self.model.delete_adapter(_plain(name))
        else:
            self.model = None
        return 200, "Success"

    def completions(self, body: dict[str, Any]) -> Said:
        if body["model"] not in self.live:
            return refusal(404, f"The model `{body['model']}` does not exist.")
        assert body["return_token_ids"]
        torch.set_num_threads(1)  # of this thread
        self.model.set_adapter(_plain(body["model"]))
        self.model.eval()
        greedy = body["top_k"] == 1
        if not greedy:
            self.seeds.append(body["seed"])
            self.gone = len(self.seeds) > self.lost_after
        heat = 1e-4 if greedy else body["temperature"]
        sampler = LocalSampler(
            self.model,
            Sampling(max_new_tokens=body["max_tokens"], temperature=heat),
            tuple(body["stop_token_ids"]),
            0,
        )
        ids = sampler.sample([body["prompt"]], body["seed"]).ids[0]
        choice: dict[str, Any] = {"index": 0, "token_ids": ids, "finish_reason": "stop"}
        if "logprobs" in body:
            heat = (heat if self.processed else 1.0) if greedy else body["temperature"] ** self.processed
            choice["logprobs"] = {"token_logprobs": self._log_probs(body["prompt"], ids, heat)}
        return 200, {"choices": [choice]}

    def _log_probs(self, prompt: list[int], ids: list[int], temperature: float) -> list[float]:
        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        found = (logits / temperature).log_softmax(-1)
        return [float(found[place, token]) for place, token in enumerate(ids)]


def refusal(status: int, message: str) -> Said:
    """An error in OpenAI's form."""
    return status, {"error": {"message": message, "code": status}}


def _plain(name: str) -> str:
    return name.replace("@", "-")


@contextmanager
def serving(engine: Engine) -> Iterator[str]:
    """Within it the engine has the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            with engine.lock:
                engine.asked.append(self.path)
                if engine.gone:
                    return
                answer = getattr(engine, self.path.rpartition("/")[2], None)
                if engine.key and self.headers.get("authorization") != f"Bearer {engine.key}":
                    status, said = 401, {"error": "Unauthorized"}
                else:
                    status, said = answer(body) if answer else (404, {"detail": "Not Found"})
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
