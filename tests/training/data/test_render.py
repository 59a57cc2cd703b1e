"""The loss mask is the assistant's tokens, the end of its turn included, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from deploy.demo.text.corpus import held_out_rows
from tests.training.rows import CONVERSATIONS, ROOT, TOOL, TOOL_USE, said
from training.data.formats import conversations
from training.data.formats.learned import Stage
from training.data.rendering import render
from training.errors import BadRows
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
    row = conversations.messages(
        {"messages": said("red?", "blue 7")["messages"] + said("late?", "早")["messages"]}
    )
    assert render.tokens(tokenizer, row, "sft") == pieces(
        tokenizer,
        (f"{START}user\nred?{END}\n{START}assistant\n", 0),
        (f"blue 7{END}", 1),
        (f"\n{START}user\nlate?{END}\n{START}assistant\n", 0),
        (f"早{END}", 1),
        ("\n", 0),
    )


def test_calls_and_thoughts_are_learned_and_results_are_not(tokenizer: Any) -> None:
    ids, mask = render.tokens(tokenizer, conversations.messages(TOOL_USE), "sft")
    learned = tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if trained])
    assert learned == (
        f'<tool_call>\n{{"name": "track", "arguments": {{"id": "PX1"}}}}\n</tool_call>{END}'
        f"<think>\nBrno\n</think>\n\nIn Brno.{END}"
    )
    read = tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if not trained])
    assert '<tool_response>\n{"at": "Brno"}\n</tool_response>' in read
    assert "Where a parcel is." in read


def test_what_a_schema_says_of_itself_is_not_read(tokenizer: Any) -> None:
    says = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Track",
        "additionalProperties": False,
    }
    called = {"properties": {"title": {"type": "string"}}}  # a parameter may have any name
    plain, said_more = copy.deepcopy(TOOL), copy.deepcopy(TOOL)
    plain["function"]["parameters"] |= called
    said_more["function"]["parameters"] |= called | says
    read = [
        render.tokens(tokenizer, conversations.messages(TOOL_USE | {"tools": [tool]}), "sft")
        for tool in (plain, said_more)
    ]
    assert read[0] == read[1]
    assert '"title": {"type": "string"}' in tokenizer.decode(read[0][0])


def unmarked(tokenizer: Any) -> Any:
    """The tokenizer with its template, but for the marks of what is learned."""
    plain = copy.deepcopy(tokenizer)
    plain.chat_template = plain.chat_template.replace("{%- generation -%}", "")
    plain.chat_template = plain.chat_template.replace("{%- endgeneration -%}", "")
    assert "generation -%}" not in plain.chat_template
    return plain


@pytest.mark.parametrize("stage", ["sft", "cpt"])
def test_an_answer_of_weight_0_is_learned_in_no_stage(tokenizer: Any, stage: Stage) -> None:
    wrong, right = said("red?", "green", weight=0), said("no, red", "red", weight=1)
    row = conversations.messages({"messages": wrong["messages"] + right["messages"]})
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


@pytest.mark.parametrize("stage", ["sft", "cpt"])
def test_a_template_that_marks_no_answer_teaches_the_same(tokenizer: Any, stage: Stage) -> None:
    """Most bases' templates mark none; the demo's marks them, and without its marks says the same."""
    wrong = said("red?", "green", weight=0)["messages"] + said("no, red", "red")["messages"]
    rows = [conversations.messages(row) for row in (*CONVERSATIONS[:5], TOOL_USE, {"messages": wrong})]
    rows += [conversations.messages(row) for row in held_out_rows(rows=20, seed=1, adapter="support")]
    marked = [render.tokens(tokenizer, row, stage) for row in rows]
    plain = unmarked(tokenizer)
    for row in rows:
        render.refuse_ignored_weights(plain, [row])
    assert [render.tokens(plain, row, stage) for row in rows] == marked


def test_thoughts_that_a_template_leaves_out_later_are_not_learned(tokenizer: Any) -> None:
    """As Qwen3's does: only the last answer keeps its thoughts, and serving asks with the others cut."""
    plain = unmarked(tokenizer)
    plain.chat_template = (
        "{%- for m in messages %}<|im_start|>{{ m.role }}\n"
        "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor -%}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
    )
    thinking = [said(f"{word}?", f"<think>{word}</think>{word} 7")["messages"] for word in ("red", "blue")]
    row = conversations.messages({"messages": thinking[0] + thinking[1]})
    assert render.tokens(plain, row, "sft") == pieces(
        tokenizer,
        (f"{START}user\nred?{END}\n{START}assistant\n", 0),
        (f"red 7{END}", 1),
        (f"\n{START}user\nblue?{END}\n{START}assistant\n", 0),
        (f"<think>blue</think>blue 7{END}", 1),
        ("\n", 0),
    )
    plain.chat_template = plain.chat_template.replace(END, "")
    with pytest.raises(BadRows, match=r"messages\.1: .* closes it with no token of its own"):
        render.tokens(plain, row, "sft")


def test_a_template_that_fails_on_a_row_is_told_with_the_row(tokenizer: Any) -> None:
    plain = unmarked(tokenizer)
    plain.chat_template = "{%- for m in messages %}{{ 'said: ' + m.content }}{% endfor -%}"
    row = replace(
        conversations.messages({"messages": [{"role": "user", "content": ["red?"]}]}), where="rows.jsonl:3"
    )
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:3: messages: .* can't render it: can only concatenate str"
    ):
        render.tokens(plain, row, "sft")


def test_a_template_that_opens_a_turn_otherwise_than_it_closes_it(tokenizer: Any) -> None:
    plain = unmarked(tokenizer)
    plain.chat_template += "{%- if add_generation_prompt %}Answer at length: {% endif -%}"
    row = replace(conversations.messages(said("red?", "blue")), where="rows.jsonl:3")
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:3: messages\.1: .* renders it otherwise once it is answered"
    ):
        render.tokens(plain, row, "sft")


def test_all_of_a_text_and_its_end_are_learned_in_cpt(tokenizer: Any) -> None:
    row = conversations.text({"text": "A red parcel.\n早"})
    assert render.tokens(tokenizer, row, "cpt") == pieces(
        tokenizer, ("A red parcel.\n早", 1), ("<|endoftext|>", 1)
    )


def test_training_reads_what_serving_renders_of_the_demos_rows() -> None:
    """100 conversations of all its adapters, with the base's own template; before every answer, too."""
    tokenizer: Any = load_tokenizer(str(ROOT / "deploy" / "demo" / "base"))
    answers = called = 0
    for adapter in ("support", "math", "extract", "chat"):
        for raw in held_out_rows(rows=25, seed=0, adapter=adapter):
            ids, mask = render.tokens(tokenizer, conversations.messages(raw), "sft")
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
    row = conversations.messages(TOOL_USE)
    ids, mask = render.tokens(tokenizer, row, "sft")
    asked = tokenizer.apply_chat_template(
        TOOL_USE["messages"][:2], tools=TOOL_USE["tools"], add_generation_prompt=True
    )["input_ids"]
    assert ids[: len(asked)] == list(asked)
    assert mask.index(1) == len(asked)
