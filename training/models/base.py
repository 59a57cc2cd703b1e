"""The base model of a run: loaded, or made from nothing; and saved as a folder that vLLM serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError

from pointsman import artefact
from pointsman.artefact import ArtefactError, BaseIdentity
from training.errors import BaseError
from training.methods import virtual_tokens
from training.models import attention, one_pass, weights
from training.recipe import Architecture

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_SETTINGS = {".json", ".jinja", ".model", ".txt"}  # of files that are neither weights nor code


def identify(name: str) -> BaseIdentity | None:
    """The identity of the base ``name``; None for a hub id."""
    folder = Path(name)
    if not folder.is_dir():
        return None
    try:
        return artefact.identify_base(folder)
    except ArtefactError as exc:
        raise BaseError(f"base {exc}") from exc


def load_tokenizer(name: str, what: str = "base") -> PreTrainedTokenizerBase:
    """The tokenizer of the base ``name`` (folder or hub id), with its chat template; ``what`` is for errors.

    Raises:
        BaseError: it can't be loaded, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
    except Exception as exc:  # of a broken file each library raises another
        raise BaseError(_not_loaded(what, name, exc, "its tokenizer: ")) from exc
    if tokenizer.chat_template is None:
        raise BaseError(
            f"{what} {name}: its tokenizer has no chat template, so conversations can't be rendered; put a "
            "chat_template.jinja into its folder (deploy/demo/chat_template.jinja is one), or take a version "
            "that has one, which instruct versions do"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(name: str, **more: Any) -> PreTrainedModel:
    """The base ``name`` (folder or hub id) in float32; ``more`` is for transformers' ``from_pretrained``.

    Raises:
        BaseError: it can't be loaded, a number is NaN or infinite, or weights are missing, in whose place
            transformers would draw some.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = load_config(name)
    weights.require(name)
    weights.refuse_not_finite(name)
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            name,
            config=config,
            dtype=torch.float32,
            attn_implementation=attention.of(config),
            output_loading_info=True,
            **more,
        )
    except (OSError, ValueError, SafetensorError) as exc:
        raise BaseError(_not_loaded("base", name, exc)) from exc
    except RuntimeError as exc:
        if "ignore_mismatched_sizes" not in str(exc):
            raise
        raise BaseError(
            f"base {name!r}: its weights have other shapes than its config.json says; one of them is another "
            "model's"
        ) from exc
    if missing := sorted(found["missing_keys"]):
        raise BaseError(missing_weights(name, missing))
    one_pass.use(model)
    return cast("PreTrainedModel", model)


def refuse_other_weights(name: str) -> None:
    """Hold the weights of the base ``name`` beside its config.json, by their headers; a hub id's are not.

    Raises:
        BaseError: one has another shape, or is missing. Where some have names that the model does not know,
            transformers may know them by others, and nothing is missing until it loads them.
    """
    if not Path(name).is_dir():
        return
    outline = load_outline(name)
    known = {key: tuple(weight.shape) for key, weight in outline.state_dict().items()}
    held = weights.shapes(name)
    if other := [key for key in held if key in known and held[key] != known[key]]:
        found, said = (" × ".join(map(str, shapes[other[0]])) for shapes in (held, known))
        raise BaseError(
            f"base {name!r}: its weights have other shapes than its config.json says, as {other[0]}, {found} "
            f"where {said} is said; one of them is another model's"
        )
    own = dict(outline.named_parameters())  # of weights that are tied, one
    if held.keys() <= known.keys() and (missing := sorted(own.keys() - held.keys())):
        raise BaseError(missing_weights(name, missing))


def missing_weights(name: str, missing: list[str]) -> str:
    """What is said of a base without them."""
    said = f"{len(missing)} of its weights are missing, as {missing[0]}"
    return f"base {name!r}: {said}; copy it anew from where it came"


def load_outline(name: str) -> PreTrainedModel:
    """The base ``name`` without its weights: shapes that cost no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    config = load_config(name)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model


def load_config(name: str, what: str = "base") -> Any:
    """The configuration of the base ``name`` (folder or hub id); ``what`` it is, for errors.

    Raises:
        BaseError: it can't be loaded, or its weights are quantised, so that nothing can be trained on them.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
    except Exception as exc:  # as above
        raise BaseError(_not_loaded(what, name, exc)) from exc
    if quantised := getattr(config, "quantization_config", None):
        method = quantised.get("quant_method", "?") if isinstance(quantised, dict) else "?"
        raise BaseError(
            f"{what} {name!r} is quantised already ({method}), and can only be served. Name the base that it "
            f"was made from; where stage quantize made it, its {artefact.MANIFEST} says which, as "
            "base_model. Adapters are trained on that one, and served on both"
        )
    return config


def positions(config: Any) -> int | None:
    """How many tokens a base of this configuration was made for, if it says so."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def _llama(plan: Architecture, vocab_size: int, **more: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=plan.hidden_size,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.kv_heads,
        intermediate_size=plan.intermediate_size,
        max_position_embeddings=plan.context,
        rope_theta=plan.rope_theta,
        tie_word_embeddings=True,
        bos_token_id=None,
        attn_implementation=attention.FUSED,
        **more,
    )


def outline_of(plan: Architecture, vocab_size: int) -> PreTrainedModel:
    """A Llama of this shape without weights."""
    import torch
    from transformers import LlamaForCausalLM

    with torch.device("meta"):
        model: Any = LlamaForCausalLM(_llama(plan, vocab_size))
    return model


def new_model(plan: Architecture, tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
    """A Llama of this shape with weights drawn by ``seed``; its embedding is its output layer too."""
    from transformers import GenerationConfig, LlamaForCausalLM, set_seed

    config = _llama(
        plan, len(tokenizer), eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    set_seed(seed)
    model: Any = LlamaForCausalLM(config)
    stops = sorted({int(tokenizer.eos_token_id), int(tokenizer.pad_token_id)})
    model.generation_config = GenerationConfig(eos_token_id=stops, pad_token_id=tokenizer.pad_token_id)
    return model


def round_to_served(model: Any) -> None:
    """Round every trained weight to bfloat16, in place: what is evaluated is then what is saved."""
    import torch

    virtual_tokens.settle(model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.copy_(
                parameter.data.to(torch.bfloat16)
            )  # in place: cut weights are gathered thence


def save(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights (bfloat16), config, tokenizer and template to ``folder``; same model, same bytes.

    Raises:
        BaseError: embedding and output layer are one by the config, and hold different weights.
    """
    import torch

    if model.config.tie_word_embeddings:
        read, said = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        if read is not said and not torch.equal(read, said):
            raise BaseError(
                "the base's lm_head has come apart from the embedding, though its config ties them "
                "(tie_word_embeddings), and only one of them can be saved; set it to false in the base's "
                "config.json, with both matrices in its weights"
            )
    saved = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if not (model.config.tie_word_embeddings and name == "lm_head.weight")
    }
    model.config.dtype = torch.bfloat16
    model.config.architectures = [type(model).__name__]  # a library that saved it before may have said so
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    from safetensors.torch import save_file

    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)


def save_all_but_weights(name: str, folder: Path) -> None:
    """Write the config, tokenizer and template of the base ``name`` to ``folder``, a folder's unchanged."""
    if not Path(name).is_dir():
        load_config(name).save_pretrained(folder)
        load_tokenizer(name).save_pretrained(folder)
        return
    for path in sorted(Path(name).iterdir()):
        weights_or_manifest = path.name.endswith(".index.json") or path.name == artefact.MANIFEST
        if path.suffix in _SETTINGS and not weights_or_manifest:
            shutil.copyfile(path, folder / path.name)


def rewrite_json(path: Path, changes: dict[str, Any]) -> None:
    """Write the JSON file again with ``changes``, keys sorted."""
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _not_loaded(what: str, name: str, cause: Exception, part: str = "") -> str:
    reason = str(cause).splitlines()[0] if str(cause) else ""
    if not isinstance(cause, OSError | ValueError):
        reason = f"{type(cause).__name__}: {reason}"
    kind = "folder" if Path(name).is_dir() else "hub id, as there is no such folder"
    return f"{what} {name!r} (taken for a {kind}) can't be loaded: {part}{reason}"
