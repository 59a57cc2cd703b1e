"""A reward model as it is kept and used: a folder that scores conversations, with a tokenizer of its own.

The folder holds a whole sequence-classification model (safetensors), its tokenizer and chat template, so it
depends on no base that may move, and whatever reads transformers' folders can score with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from training.data.formats.conversations import Row
from training.data.rendering import turns
from training.errors import BaseError, RewardError
from training.models import attention, base, one_pass, reward_files, weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Message = dict[str, Any]
BATCH_ROWS = 16
HEAD = "score"  # of transformers' models that classify


class RewardModel:
    """Scores whole conversations: how good the last answer is. Scores of different models don't compare."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model: Any = model
        self._tokenizer: Any = tokenizer
        self._end = turns.end_of_turn(tokenizer)

    @classmethod
    def load(cls, folder: Path | str, what: str = "reward model") -> RewardModel:
        """The reward model in ``folder``, in float32, on the GPU where there is one.

        Raises:
            RewardError: see :func:`training.models.reward_files.require`.
        """
        import torch
        from transformers import AutoModelForSequenceClassification

        tokenizer = reward_files.require(folder, what)
        try:
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                str(folder),
                dtype=torch.float32,
                attn_implementation=attention.of(base.load_config(str(folder), what)),
                use_safetensors=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as exc:
            reason = str(exc).splitlines()[0]
            raise RewardError(f"{what} {folder} can't be loaded: {reason}; {reward_files.ANEW}") from exc
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(model.to(device).eval(), tokenizer)

    def score(self, conversations: Sequence[Sequence[Message]]) -> NDArray[np.float64]:
        """The score of each conversation, (N,), in the reward's own unit; higher is better.

        A conversation is rendered by the model's own chat template up to the end of its last turn, as in
        training.

        Raises:
            BadRows: the chat template can't render one.
        """
        rows = [
            turns.conversation(
                self._tokenizer, Row(messages=tuple(said), where=f"conversation {i}"), self._end
            )
            for i, said in enumerate(conversations)
        ]
        return self.score_tokens(rows)

    def score_tokens(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """The score of each row of token ids, (N,); rows of like length share a batch."""
        import torch

        scores = np.zeros(len(rows), np.float64)
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        for start in range(0, len(order), BATCH_ROWS):
            batch = order[start : start + BATCH_ROWS]
            shape = (len(batch), len(rows[batch[0]]))
            ids, mask = torch.full(shape, self._tokenizer.pad_token_id), torch.zeros(shape, dtype=torch.long)
            for i, row in enumerate(batch):
                ids[i, : len(rows[row])] = torch.tensor(list(rows[row]))
                mask[i, : len(rows[row])] = 1
            with torch.inference_mode():
                device = self._model.device
                given = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
                logits = self._model(**given, use_cache=False).logits
            scores[batch] = logits[:, 0].float().cpu().numpy()
        return scores


def new(name: str, pad: int, seed: int, **more: Any) -> PreTrainedModel:
    """The base ``name`` in float32 with a scoring head drawn by ``seed``.

    Args:
        name: folder or hub id.
        pad: the padding token.
        seed: of the head.
        more: what else transformers' ``from_pretrained`` is told.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed

    config = base.load_config(name)  # it refuses a base that can't be trained on
    weights.require(name)
    weights.refuse_not_finite(name)
    set_seed(seed)
    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            name,
            num_labels=1,
            dtype=torch.float32,
            attn_implementation=attention.of(config),
            output_loading_info=True,
            **more,
        )
    except (OSError, ValueError, SafetensorError) as exc:
        raise BaseError(f"base {name!r} can't be made a reward model: {str(exc).splitlines()[0]}") from exc
    if missing := sorted(name for name in found["missing_keys"] if not name.startswith(f"{HEAD}.")):
        raise BaseError(base.missing_weights(name, missing))
    model.config.get_text_config().pad_token_id = pad
    one_pass.use(model)
    return cast("PreTrainedModel", model)


def save(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the scoring model's files, weights in bfloat16; same model, same bytes.

    config.json has the hash of the vocabulary that the weights were learned with. Their header would be the
    place, but safetensors writes a header of two entries in any order.
    """
    import torch
    from safetensors.torch import save_file

    state = model.state_dict()
    saved = {name: state[name].detach().to("cpu", torch.bfloat16).contiguous() for name in sorted(state)}
    model.config.dtype = torch.bfloat16
    setattr(model.config, reward_files.VOCABULARY, reward_files.hash_of_vocabulary(tokenizer))
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
