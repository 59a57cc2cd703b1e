"""Control tokens that a row spells, such as ``<|im_end|>`` in what a user says: text, as all that it says is.

A tokenizer makes the tokens themselves of them, so that a row could end its turn or open another. Here they
become the tokens of their letters. Rows that spell none are tokenised as ever.

Each spelling is taken out before the chat template is rendered, a token of its own holding its place, and its
letters' tokens come in behind; a tokenizer that puts a space in front of any text does so there. vLLM does no
such thing: served, such a text makes the control token.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from training.data.formats.conversations import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Places:
    """What stands for the control tokens of a tokenizer where a row spells them."""

    tokenizer: PreTrainedTokenizerBase  # a copy, that knows the tokens which hold the places
    names: dict[str, str]  # control token → what holds the place of its spelling
    spellings: dict[int, list[int]]  # token id of a place → the spelling's token ids

    def put_back(self, ids: Sequence[int], mask: Sequence[int]) -> tuple[list[int], list[int]]:
        """Token ids (T) and a mask (T, or empty) with the spellings in their places."""
        made = [self.spellings.get(token, [token]) for token in ids]
        spread = [one for tokens, one in zip(made, mask, strict=False) for _ in tokens]
        return [token for tokens in made for token in tokens], spread


def within(tokenizer: PreTrainedTokenizerBase, said: Any) -> bool:
    """Whether a text in ``said``, lists and objects of them, spells a control token."""
    if isinstance(said, str):
        return _control(tokenizer).search(said) is not None
    if isinstance(said, dict):
        return any(within(tokenizer, one) for pair in said.items() for one in pair)
    return isinstance(said, list | tuple) and any(within(tokenizer, one) for one in said)


def taken_out(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[Row, Places]:
    """``row`` with a place for each control token that it spells."""
    held = _places(tokenizer)
    held.tokenizer.chat_template = tokenizer.chat_template

    def replaced(said: Any) -> Any:
        if isinstance(said, str):
            return _control(tokenizer).sub(lambda found: held.names[found[0]], said)
        if isinstance(said, dict):
            return {replaced(key): replaced(one) for key, one in said.items()}
        return type(said)(map(replaced, said)) if isinstance(said, list | tuple) else said

    return replace(row, messages=replaced(row.messages), tools=replaced(row.tools)), held


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids (T) of ``text``, none of them a control token, whatever it spells."""
    spells = {"split_special_tokens": True} if within(tokenizer, text) else {}
    return list(tokenizer(text, add_special_tokens=False, **spells)["input_ids"])


@lru_cache(maxsize=8)
def _control(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    known = tokenizer.added_tokens_decoder.values()
    control = {token.content for token in known if token.special and token.content}
    return re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))) or "(?!)")


@lru_cache(maxsize=8)
def _places(tokenizer: PreTrainedTokenizerBase) -> Places:
    from tokenizers import AddedToken

    control = sorted(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    names = {token: f"<|the spelling of control token {i}|>" for i, token in enumerate(control)}
    copied = copy.deepcopy(tokenizer)
    copied.add_tokens([AddedToken(name, special=True, normalized=False) for name in names.values()])
    ids = dict(zip(names, copied.convert_tokens_to_ids(list(names.values())), strict=True))
    return Places(copied, names, {ids[token]: text_ids(tokenizer, token) for token in names})
