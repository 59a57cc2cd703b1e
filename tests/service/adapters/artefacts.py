"""A base and adapters for it, written byte by byte: small, and as good or as bad as a test needs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.artefact import CONFIG, WEIGHTS, Manifest, identify_base, write_manifest

HIDDEN, INNER, RANK = 8, 16, 4
LAYERS = {  # module → (out, in)
    "model.layers.0.self_attn.q_proj": (HIDDEN, HIDDEN),
    "model.layers.0.mlp.up_proj": (INNER, HIDDEN),
    "model.layers.0.mlp.down_proj": (HIDDEN, INNER),
}
Tensors = dict[str, NDArray[Any]]


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]], dtype: str = "F32") -> None:
    """The format by hand, so that tests do not lean on the code that they test."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, values in tensors.items():
        raw = values.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_base(folder: Path, seed: int = 0) -> Path:
    """A base with three linear layers, an embedding and a norm."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    tensors: Tensors = {
        f"{name}.weight": rng.normal(size=shape).astype("<f4") for name, shape in LAYERS.items()
    }
    tensors["model.embed_tokens.weight"] = rng.normal(size=(32, HIDDEN)).astype("<f4")
    tensors["model.norm.weight"] = np.ones(HIDDEN, dtype="<f4")
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}", "utf-8")
    return folder


def write_quantized_base(folder: Path, origin: Path) -> Path:
    """The base in ``origin`` as stage quantize makes it: its layers packed, and a manifest that names it."""
    write_base(folder)
    tensors: Tensors = {}
    for name, (out, into) in LAYERS.items():
        tensors[f"{name}.qweight"] = np.zeros((into * 4 // 32, out), dtype="<i4")
    write_safetensors(folder / "model.safetensors", tensors, "I32")
    config = {"model_type": "llama", "quantization_config": {"quant_method": "gptq", "bits": 4}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    manifest = _manifest(origin, seed=0)
    write_manifest(folder, manifest.model_copy(update={"stage": "quantize", "method": "gptq"}))
    return folder


def lora(seed: int = 0, rank: int = RANK) -> Tensors:
    """The matrices of an adapter on every layer."""
    rng = np.random.default_rng(seed)
    found: Tensors = {}
    for name, (out, into) in LAYERS.items():
        found[f"base_model.model.{name}.lora_A.weight"] = rng.normal(size=(rank, into)).astype("<f4")
        found[f"base_model.model.{name}.lora_B.weight"] = rng.normal(size=(out, rank)).astype("<f4")
    return found


def write_adapter(
    folder: Path,
    base: Path,
    *,
    seed: int = 0,
    tensors: Tensors | None = None,
    config: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """A good artefact, but for what a test changes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / WEIGHTS, lora(seed) if tensors is None else tensors)
    settings = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "up_proj", "down_proj"],
        "bias": "none",
        "modules_to_save": None,
        "init_lora_weights": True,
        "use_dora": False,
        "rank_pattern": {},
    }
    (folder / CONFIG).write_text(json.dumps(settings | dict(config or {})), "utf-8")
    write_manifest(folder, _manifest(base, seed).model_copy(update=dict(manifest or {})))
    return folder


def _manifest(base: Path, seed: int) -> Manifest:
    return Manifest(
        alias="support",
        stage="sft",
        base_model="base",
        base=identify_base(base),
        recipe={},
        data={},
        seed=seed,
        code="0",
        libraries={},
        metrics={"eval_loss": 1.5},
        created="2026-01-01T00:00:00Z",
    )
