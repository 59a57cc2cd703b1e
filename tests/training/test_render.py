"""The loss mask is the assistant's tokens, the end of its turn included, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.text.corpus import held_out_rows
from tests.training.rows import ROOT, TOOL_USE, said
from training.data import formats, render
from training.data.render import Stage
from training.models.base import load_tokenizer

START, END = "<|im_start|>", "<|im_end|>"


def pieces(tokenizer: Any, *parts: tuple[str, int]) -> tuple[list[int], list[int]]:
    """Ids and mask of texts that are each trained (1) or not (0), as one would write them by hand."""
    ids: list[int] = []
    mask: list[int] = []
    for text, trained in parts:
        piece = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += piece
        mask += [trained] * len(piece)
    return ids, mask


def test_the_assistants_turns_and_their_ends_are_learned(tokenizer: Any) -> None:
    row = formats.messages({"messages": said("red?", "blue 7")["messages"] + said("late?", "早")["messages"]})
    assert render.tokens(tokenizer, row, "sft") == pieces(
        tokenizer,
        (f"{START}user\nred?{END}\n{START}assistant\n", 0),
        (f"blue 7{END}", 1),
        (f"\n{START}user\nlate?{END}\n{START}assistant\n", 0),
        (f"早{END}", 1),
        ("\n", 0),
    )


def test_calls_and_thoughts_are_learned_and_results_are_not(tokenizer: Any) -> None:
    ids, mask = render.tokens(tokenizer, formats.messages(TOOL_USE), "sft")
    learned = tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if trained])
    assert learned == (
        f'<tool_call>\n{{"name": "track", "arguments": {{"id": "PX1"}}}}\n</tool_call>{END}'
        f"<think>\nBrno\n</think>\n\nIn Brno.{END}"
    )
    read = tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if not trained])
    assert '<tool_response>\n{"at": "Brno"}\n</tool_response>' in read
    assert "Where a parcel is." in read


@pytest.mark.parametrize("stage", ["sft", "cpt"])
def test_an_answer_of_weight_0_is_learned_in_no_stage(tokenizer: Any, stage: Stage) -> None:
    wrong, right = said("red?", "green", weight=0), said("no, red", "red", weight=1)
    row = formats.messages({"messages": wrong["messages"] + right["messages"]})
    others = int(stage == "cpt")  # what is no answer is learned too
    close = [("<|endoftext|>", 1)] if stage == "cpt" else []
    assert render.tokens(tokenizer, row, stage) == pieces(
        tokenizer,
        (f"{START}user\nred?{END}\n{START}assistant\n", others),
        (f"green{END}", 0),
        (f"\n{START}user\nno, red{END}\n{START}assistant\n", others),
        (f"red{END}", 1),
        ("\n", others),
        *close,
    )


def test_all_of_a_text_and_its_end_are_learned_in_cpt(tokenizer: Any) -> None:
    row = formats.text({"text": "A red parcel.\n早"})
    assert render.tokens(tokenizer, row, "cpt") == pieces(
        tokenizer, ("A red parcel.\n早", 1), ("<|endoftext|>", 1)
    )


def test_training_reads_what_serving_renders_of_the_demos_rows() -> None:
    """100 conversations of all its adapters, with the base's own template; before every answer, too."""
    tokenizer: Any = load_tokenizer(str(ROOT / "deploy" / "demo" / "base"))
    answers = called = 0
    for adapter in ("support", "math", "extract", "chat"):
        for raw in held_out_rows(rows=25, seed=0, adapter=adapter):
            ids, mask = render.tokens(tokenizer, formats.messages(raw), "sft")
            messages, tools = raw["messages"], raw.get("tools")
            text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
            assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
            for place, message in enumerate(messages):
                if message["role"] != "assistant" or message.get("weight") == 0:
                    continue
                asked = tokenizer.apply_chat_template(
                    messages[:place], tools=tools, add_generation_prompt=True
                )["input_ids"]
                assert ids[: len(asked)] == list(asked)
                assert mask[len(asked) - 1 : len(asked) + 1] == [0, 1]
                answers += 1
                called += "tool_calls" in message
    assert answers > 100
    assert called > 5


def test_training_reads_what_serving_renders(tokenizer: Any) -> None:
    row = formats.messages(TOOL_USE)
    ids, mask = render.tokens(tokenizer, row, "sft")
    asked = tokenizer.apply_chat_template(
        TOOL_USE["messages"][:2], tools=TOOL_USE["tools"], add_generation_prompt=True
    )["input_ids"]
    assert ids[: len(asked)] == list(asked)
    assert mask.index(1) == len(asked)
