"""Whether the files of a reward model are whole, of one model, and its weights numbers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import BaseError, RewardError
from training.models import base, weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEIGHTS = "model.safetensors"
VOCABULARY = "vocabulary_sha256"  # key in config.json: of the pieces that the weights have learned
ANEW = "copy it anew from where it came, or train one with a recipe of stage rm"


def require(folder: Path | str, what: str = "reward model") -> PreTrainedTokenizerBase:
    """Look at all files of the reward model in ``folder``; its tokenizer.

    Args:
        folder: where it is.
        what: what it is, in words; where a recipe names it, with the recipe's key.

    Raises:
        RewardError: there is none, a file of it is missing or broken, or they are not all of one model that
            gives one number.
    """
    if not Path(folder).is_dir():
        raise RewardError(
            f"{what} {folder}: no such folder; `pointsman train` with a recipe of stage rm makes one"
        )
    if not (Path(folder) / WEIGHTS).is_file():
        raise RewardError(f"{what} {folder} holds no {WEIGHTS}; {ANEW}")
    weights.require(folder, what, RewardError)
    try:
        config = base.load_config(str(folder), what)
        tokenizer = base.load_tokenizer(str(folder), what)
    except BaseError as exc:
        raise RewardError(f"{exc}; {ANEW}") from exc
    problem = (
        _of_weights(config, Path(folder)) or _of_tokenizer(config, tokenizer) or weights.not_finite(folder)
    )
    if problem:
        raise RewardError(f"{what} {folder}: {problem}; {ANEW}")
    return tokenizer


def hash_of_vocabulary(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of the pieces and their ids."""
    return hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()


def _of_weights(config: Any, folder: Path) -> str | None:
    """How they are not those of a model of ``config`` that scores; None: they are."""
    import torch
    from transformers import AutoModelForSequenceClassification

    if config.num_labels != 1:
        return f"it gives {config.num_labels} numbers by its config.json, and a reward model gives one"
    try:
        with torch.device("meta"):
            outline = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    except ValueError as exc:
        reason = str(exc).splitlines()[0]
        return f"its config.json is of the kind {config.model_type}, of which no model scores: {reason}"
    wanted = {name: tuple(tensor.shape) for name, tensor in outline.state_dict().items()}
    if unlike := weights.misfits(weights.shapes(folder), wanted):
        return f"its weights are not those of a {type(outline).__name__} as its config.json says: {unlike}"
    return None


def _of_tokenizer(config: Any, tokenizer: Any) -> str | None:
    """How it is not the one of the model; None: it is, as far as is known."""
    shape = config.get_text_config()
    learned = getattr(config, VOCABULARY, None)  # those of before this was written have none
    whose = "its tokenizer is another model's"
    if len(tokenizer) > shape.vocab_size:
        return f"{whose}: it has {len(tokenizer):,} pieces, and the model knows {shape.vocab_size:,}"
    if learned not in (None, hash_of_vocabulary(tokenizer)):
        return f"{whose}: it has other pieces than those that the weights have learned"
    if tokenizer.pad_token_id != shape.pad_token_id:
        return (
            f"{whose}: it pads with the piece {tokenizer.pad_token_id}, and by config.json the model takes "
            f"{shape.pad_token_id} for padding"
        )
    return None
