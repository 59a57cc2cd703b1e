"""From a row to token ids and a loss mask (1 = trained on), by the very template that serving renders.

In ``cpt`` all of a document is learned and ``<|endoftext|>`` closes it; in ``sft`` what an assistant writes,
its end-of-turn included, and of a prompt with its completion what it writes in the latter: what the template
marks with ``{% generation %}``, or where it marks nothing, as most do, what stands behind the prompt that
serving would have given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from training.data.formats.conversations import Row
from training.data.formats.learned import Stage
from training.data.rendering.spelled import text_ids
from training.data.rendering.turns import conversation, end_of_turn, opened_at, rendered, token_ids, tokenised
from training.errors import BadRow, BadRows, BaseError
from training.models.tokenizer import END_OF_TEXT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


def text(tokenizer: PreTrainedTokenizerBase, row: Row) -> str:
    """The row as the model sees it.

    Raises:
        BadRows: the chat template can't render it.
    """
    if row.text is not None:
        return row.text
    return str(rendered(tokenizer, row, tokenize=False))


def tokens(tokenizer: PreTrainedTokenizerBase, row: Row, stage: Stage) -> tuple[list[int], list[int]]:
    """Token ids (T) and loss mask (T) of ``row``.

    Raises:
        BadRows: the chat template can't render it.
    """
    if stage == "sft":
        return _conversation(tokenizer, row)
    if _holds_unlearned(row):
        ids, mask = _all_but_unlearned(tokenizer, row)
    else:
        ids = text_ids(tokenizer, row.text) if row.text is not None else token_ids(tokenizer, row)
        mask = [1] * len(ids)
    return [*ids, end_of_text(tokenizer)], [*mask, 1]


def refuse_ignored_weights(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> None:
    """Make sure that answers of weight 0, where ``rows`` hold any, are kept out of the loss mask.

    Raises:
        BaseError: the chat template learns them as any other.
    """
    row = next((row for row in rows if _holds_unlearned(row)), None)
    if row is None:
        return
    asked, answered = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    _, learned = _conversation(tokenizer, Row(messages=(asked, answered)))
    _, unlearned = _conversation(tokenizer, Row(messages=(asked, {**answered, "weight": 0})))
    if any(unlearned) or not any(learned):
        raise BaseError(
            f'{row.where}: holds an answer of "weight": 0, which is not to be learned, but the base\'s chat '
            "template does not look at weights. Take such rows out, or give the base a template that marks "
            "{% generation %} by weight, as deploy/demo/chat_template.jinja does"
        )


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that closes a document; a tokenizer that has no <|endoftext|> closes it with its own end."""
    return int(tokenizer.get_vocab().get(END_OF_TEXT, tokenizer.eos_token_id))


def _holds_unlearned(row: Row) -> bool:
    return any(message["role"] == "assistant" and message.get("weight") == 0 for message in row.messages)


def _conversation(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[list[int], list[int]]:
    if not _MARK.search(tokenizer.get_chat_template(tools=list(row.tools) or None)):
        return _by_turns(tokenizer, row)
    ids, mask = tokenised(tokenizer, row, return_assistant_tokens_mask=True)
    if not mask:
        return ids, [0] * len(ids)
    if any(turn["role"] == "assistant" for turn in row.messages[: row.prompt]):
        asked = replace(row, messages=row.messages[: row.prompt])
        start = opened_at(tokenizer, ids, asked, "prompt")
        mask[:start] = [0] * start
    return ids, mask


def _by_turns(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[list[int], list[int]]:
    """Ids and mask by a template that marks nothing: an answer begins behind its prompt and ends its turn."""
    ids = token_ids(tokenizer, row)
    mask = [0] * len(ids)
    end = end_of_turn(tokenizer)
    for i, message in enumerate(row.messages):
        if i < row.prompt or message["role"] != "assistant" or message.get("weight") == 0:
            continue
        asked, said = (replace(row, messages=row.messages[:to]) for to in (i, i + 1))
        start = opened_at(tokenizer, ids, asked, f"messages.{i}")
        stop = len(closed := conversation(tokenizer, said, end))
        if ids[:stop] != closed:  # as where thoughts are left out of what is not the last turn
            if end not in ids[start:] or end not in tokenizer.all_special_ids:
                problem = (
                    "the base's chat template renders this answer otherwise where others follow, and closes "
                    "it with no token of its own, so its end can't be found; leave out its thoughts, or what "
                    "follows"
                )
                raise BadRows([BadRow(row.where, f"messages.{i}", problem)])
            stop = ids.index(end, start) + 1
        mask[start:stop] = [1] * (stop - start)
    return ids, mask


def _all_but_unlearned(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[list[int], list[int]]:
    """All is learned but the turns of weight 0: an answer that must not be learned here either."""
    ids, learned = _conversation(tokenizer, replace(row, prompt=0))
    weighed = tuple({k: v for k, v in message.items() if k != "weight"} for message in row.messages)
    _, every_answer = _conversation(tokenizer, Row(messages=weighed, tools=row.tools))
    return ids, [int(mask >= answer) for mask, answer in zip(learned, every_answer, strict=True)]
