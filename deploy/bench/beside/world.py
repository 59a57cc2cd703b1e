"""What is served: a base, adapters of it with random weights, and the configuration of a gateway for both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from pointsman.artefact import CONFIG, WEIGHTS, BaseIdentity, Manifest, identify_base, write_manifest
from service.sections import CARRIED

DEMO = Path(__file__).parents[2] / "demo"
BASE = "base"
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
INTENTS = {  # of the routed row: words that tell them apart, of those that the traffic is made of
    "depot": ("parcel", "courier", "carton", "pallet"),
    "walk": ("river", "garden", "morning", "station"),
}


@dataclass(frozen=True)
class World:
    """A folder with all that a run needs."""

    folder: Path
    base: Path
    adapters: tuple[str, ...]  # aliases, each the name of its folder below ``adapters``
    rank: int

    def artefact(self, alias: str) -> Path:
        """The folder of an adapter."""
        return self.folder / "adapters" / alias


def named(folder: Path, base: Path, count: int, rank: int) -> World:
    """The world in ``folder``, whether it has been drawn or not."""
    return World(folder, base, tuple(f"a{index:02d}" for index in range(count)), rank)


def draw(world: World) -> None:
    """Draw the adapters; what another run left in the folder is removed."""
    shutil.rmtree(world.folder, ignore_errors=True)
    identity = identify_base(world.base)
    config = json.loads((world.base / "config.json").read_bytes())

    def one(index: int) -> None:
        alias = world.adapters[index]
        draw_adapter(world.artefact(alias), alias, config, identity, rank=world.rank, seed=index)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, range(len(world.adapters))))


def draw_base(folder: Path, shape: dict[str, int]) -> None:
    """A Llama of ``shape`` with random weights in bfloat16, and the demo's tokenizer; on the GPU, seconds."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(DEMO / "base" / name, folder / name)
    tokens = json.loads((DEMO / "base" / "config.json").read_bytes())
    config = LlamaConfig(
        **shape,
        vocab_size=tokens["vocab_size"],
        bos_token_id=tokens.get("bos_token_id"),
        eos_token_id=tokens.get("eos_token_id"),
        pad_token_id=tokens.get("pad_token_id"),
        dtype="bfloat16",
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).save_pretrained(folder)


def draw_adapter(
    folder: Path, alias: str, config: dict[str, int], base: BaseIdentity, *, rank: int, seed: int
) -> None:
    """An artefact with random matrices on every linear layer, small enough that answers stay words."""
    from safetensors.numpy import save_file

    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    query, key = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    shapes = {  # (in, out)
        "q_proj": (hidden, query),
        "k_proj": (hidden, key),
        "v_proj": (hidden, key),
        "o_proj": (query, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for module in MODULES:
            into, out = shapes[module]
            part = "self_attn" if module[0] in "qkvo" else "mlp"
            name = f"base_model.model.model.layers.{layer}.{part}.{module}"
            for side, shape in (("A", (rank, into)), ("B", (out, rank))):
                drawn = random.standard_normal(shape, dtype=np.float32) * 0.02
                tensors[f"{name}.lora_{side}.weight"] = drawn.astype(np.float16)
    folder.mkdir(parents=True)
    save_file(tensors, folder / WEIGHTS)
    peft = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": list(MODULES),
        "bias": "none",
        "base_model_name_or_path": BASE,
    }
    (folder / CONFIG).write_text(json.dumps(peft), encoding="utf-8")
    write_manifest(
        folder,
        Manifest(
            alias=alias,
            stage="drawn",
            base_model=BASE,
            base=base,
            recipe={},
            data={},
            seed=seed,
            code="none",
            libraries={},
            metrics={},
            created="1970-01-01T00:00:00Z",
        ),
    )


def write_gateway(
    world: World,
    engine: str,
    slots: int,
    admission: Mapping[str, int | str],
    encoder: str = CARRIED,
) -> Path:
    """A configuration of a gateway in front of ``engine``; its state is kept between gateways."""
    track = {"chain": "direct"} | ({"adapter": world.adapters[0]} if world.adapters else {})
    routes = {
        "version": 1,
        "fallback": track,
        "routes": [
            {
                **track,
                "intent": intent,
                "description": f"talk of {words[0]}",
                "examples": [f"{one} {other} {words[0]}" for one in words for other in words if one != other],
            }
            for intent, words in INTENTS.items()
        ],
    }
    settings = {
        "gateway": {"port": 0},
        "state": "state",
        "engine": {
            "model": str(world.base),
            "model_name": BASE,
            "urls": [engine],
            "max_loras": slots,
            "max_cpu_loras": max(slots, len(world.adapters) + 8),  # and those that are promoted while it runs
            "max_lora_rank": world.rank,
        },
        "admission": admission,
        "router": {"routes": "routes.yaml", "decision_log": "off", "encoder": encoder},
        "prompts": str(DEMO.parents[1] / "prompts" / "templates"),
        "adapters": {"folder": "adapters", "preload": {alias: alias for alias in world.adapters}},
    }
    (world.folder / "adapters").mkdir(parents=True, exist_ok=True)
    (world.folder / "routes.yaml").write_text(yaml.safe_dump(routes), encoding="utf-8")
    path = world.folder / "pointsman.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path
