"""Preferences in every form become the tokens that serving has, and what is wrong with a row is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import Recipe, make_base
from tests.training.preferences import LABELS, PAIRS, loaded, pair
from tests.training.rows import TEMPLATE, TOOL, TOOL_USE, write_rows
from training import run
from training.data import preferences, prepare_pairs, turns
from training.data.collection import Prepared
from training.data.fields import FieldError
from training.data.pair import Labelled, Pair
from training.data.token_pairs import PairRows
from training.errors import BadRows, NothingToLearn
from training.models import base as bases
from training.preview import preview

SHARED = (
    Path(os.environ.get("POINTSMAN_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    / "preference"
)
ASKED, GOOD, BAD = ({"role": role, "content": said} for role, said in [
    ("user", "red?"), ("assistant", "blue 7"), ("assistant", "green")
])  # fmt: skip


def parted(message: dict[str, Any]) -> dict[str, Any]:
    """As LLaMA-Factory writes a message from version 1 on."""
    return message | {"content": [{"type": "text", "value": message["content"]}]}


def prepared(path: Path, base: Path) -> Prepared[PairRows]:
    return prepare_pairs.pairs(loaded(path), base, lambda _: None)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "red?", "chosen": "blue 7", "rejected": "green"},
        {"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": ASKED, "chosen": GOOD, "rejected": "green"},
        {"messages": [ASKED], "chosen": GOOD, "rejected": BAD},
        {"prompt": "red?", "messages": [ASKED], "chosen": "blue 7", "rejected": "green"},
        {"prompt": "red?", "messages": [ASKED, GOOD], "chosen": [GOOD], "rejected": BAD},
        {"prompt": [ASKED], "messages": None, "chosen": "blue 7", "rejected": "green"},
        {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"prompt": "red?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"messages": [ASKED], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"messages": [ASKED, GOOD], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"chosen_messages": [ASKED, GOOD], "rejected_messages": [ASKED, BAD]},
        {"chosen_messages": [parted(ASKED), GOOD], "rejected_messages": [ASKED, parted(BAD)]},
    ],
)
def test_every_form_of_a_pair_is_the_same_pair(row: dict[str, Any]) -> None:
    assert preferences.pairs(row) == Pair((ASKED,), GOOD, BAD)


@pytest.mark.parametrize("key", ["prompt", "messages"])
def test_turns_that_are_not_those_before_the_answers_are_told(key: str) -> None:
    other = {"role": "user", "content": "green?"}
    with pytest.raises(FieldError, match="remove it, or make it the turns before") as caught:
        preferences.pairs({key: [other], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]})
    assert caught.value.field == key


def test_messages_that_are_another_prompt_than_the_one_that_is_read_are_told() -> None:
    more = [{"role": "system", "content": "Say a colour."}, ASKED]
    with pytest.raises(FieldError, match="is not what stands in prompt, which is read; remove it") as caught:
        preferences.pairs({"prompt": "red?", "messages": more, "chosen": "blue 7", "rejected": "green"})
    assert caught.value.field == "messages"


def test_rows_of_one_answer_are_told_that_there_must_be_two() -> None:
    with pytest.raises(FieldError, match=r"two answers: .*the better first; the row has instruction, output"):
        preferences.alpaca({"instruction": "red?", "output": "blue"})
    with pytest.raises(FieldError, match=r"two answers: chosen and rejected; the row has conversations"):
        preferences.sharegpt({"conversations": [ASKED, GOOD]})


@pytest.mark.parametrize("key", ["label", "kto_tag"])
def test_a_generators_row_with_a_label_is_a_labelled_answer(key: str) -> None:
    row = {"prompt": "red?", "completion": "blue 7", key: True}
    assert preferences.any_form(row) == Labelled((ASKED,), GOOD, good=True)
    assert preferences.any_form({"prompt": "red?", "chosen": GOOD, "rejected": BAD}) == Pair(
        (ASKED,), GOOD, BAD
    )


def test_llama_factorys_ranking_rows_are_pairs() -> None:
    assert preferences.sharegpt(
        {
            "conversations": [{"from": "human", "value": "red?"}],
            "chosen": {"from": "gpt", "value": "blue 7"},
            "rejected": {"from": "gpt", "value": "green"},
        }
    ) == Pair((ASKED,), GOOD, BAD)
    assert preferences.sharegpt({"conversations": [ASKED], "chosen": GOOD, "rejected": BAD}) == Pair(
        (ASKED,), GOOD, BAD
    )
    row = {"instruction": "red?", "input": "", "chosen": "blue 7", "rejected": "green"}
    assert preferences.alpaca(row) == Pair((ASKED,), GOOD, BAD)
    assert preferences.alpaca(row | {"tools": [TOOL]}) == Pair((ASKED,), GOOD, BAD, (TOOL,))
    assert preferences.alpaca({"instruction": "red?", "output": ["blue 7", "green"]}) == Pair(
        (ASKED,), GOOD, BAD
    )


def test_labels_come_with_an_answer_or_a_conversation() -> None:
    row = preferences.labels({"prompt": "red?", "completion": "green", "label": False})
    assert (row.prompt, row.completion, row.good) == ((ASKED,), BAD, False)
    assert preferences.labels({"messages": [ASKED, BAD], "label": False}) == row
    turns = [{"from": "human", "value": "red?"}, {"from": "gpt", "value": "green"}]
    assert preferences.labels({"conversations": turns, "kto_tag": False}) == row
    asked = {"instruction": "red?", "input": "", "output": "green"}
    assert preferences.labels({**asked, "kto_tag": False}) == row
    with pytest.raises(FieldError, match="is not read beside messages; remove one"):
        preferences.labels({"messages": [ASKED, BAD], "completion": "blue", "label": False})


def test_labels_may_be_numbers() -> None:
    """As tables write them."""
    rows = [{"prompt": "a", "completion": "b", "label": label} for label in (1, 0, 1.0, 0.0, True, False)]
    assert [preferences.labels(row).good for row in rows] == [True, False] * 3
    with pytest.raises(FieldError, match="or 1 or 0; found 2"):
        preferences.labels({"prompt": "a", "completion": "b", "label": 2})


@pytest.mark.parametrize(
    ("reader", "field", "row"),
    [
        ("pairs", "chosen", {"prompt": "a", "rejected": "b"}),
        ("pairs", "rejected", {"prompt": "a", "chosen": "b", "rejected": 7}),
        ("pairs", "prompt", {"chosen": "a", "rejected": "b"}),
        ("pairs", "prompt", {"prompt": [ASKED, GOOD], "chosen": "a", "rejected": "b"}),
        ("pairs", "prompt", {"prompt": "late?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}),
        ("pairs", "chosen", {"prompt": "a", "chosen": [ASKED], "rejected": [BAD]}),
        ("pairs", "chosen", {"prompt": "a", "chosen": [GOOD, ASKED, GOOD], "rejected": [BAD]}),
        ("pairs", "rejected", {"chosen": [ASKED, GOOD], "rejected": [{**ASKED, "content": "b"}, BAD]}),
        ("pairs", "margin", {"prompt": "a", "chosen": "b", "rejected": "c", "margin": "1"}),
        ("pairs", "chosen.0.role", {"prompt": "a", "chosen": [{"role": "bot"}], "rejected": "c"}),
        ("alpaca", "output", {"instruction": "a", "output": ["b", "c", "d"]}),
        ("alpaca", "rejected", {"instruction": "a", "chosen": "b"}),
        ("sharegpt", "chosen", {"conversations": [{"from": "human", "value": "a"}]}),
        ("labels", "label", {"prompt": "a", "completion": "b", "label": "yes"}),
        ("labels", "completion", {"prompt": "a", "label": True}),
    ],
)
def test_the_field_of_a_bad_preference_is_named(reader: str, field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        preferences.FORMS[reader](row)
    assert caught.value.field == field


def test_prompt_and_answers_are_the_tokens_of_serving(recipe: Recipe, base: Path, tokenizer: Any) -> None:
    """An answer that begins with a line end shares a token with the opened turn; it is the answer's."""
    rows = [pair("red?", "blue 7", "green"), pair("red?", "\nblue", "\n\ngreen")]
    found = prepared(recipe(rows, form="pairs", stage="dpo"), base)
    both = PairRows.join([found.train, found.validation])
    opened = tokenizer.apply_chat_template([ASKED], add_generation_prompt=True)["input_ids"]
    for part, said in ((both.chosen, {"blue 7", "\nblue"}), (both.rejected, {"green", "\n\ngreen"})):
        read = set()
        for start, length in zip(part.starts, part.lengths, strict=True):
            ids, mask = part.ids[start : start + length], part.loss_mask[start : start + length]
            prompt = ids[~mask].tolist()
            assert prompt == opened[: len(prompt)]
            assert len(prompt) >= len(opened) - 1
            whole = tokenizer.decode(ids)
            assert whole.startswith(tokenizer.decode(opened))
            read.add(whole.removeprefix(tokenizer.decode(opened)).removesuffix("<|im_end|>"))
            assert ids[mask][-1] == tokenizer.eos_token_id  # and nothing of what the template puts behind it
        assert read == said


def test_a_pair_of_calls_has_its_tools(tokenizer: Any) -> None:
    call = TOOL_USE["messages"][2]
    row = preferences.pairs(
        {"prompt": TOOL_USE["messages"][:2], "chosen": call, "rejected": BAD, "tools": [TOOL]}
    )
    ids, asked = prepare_pairs.tokens(tokenizer, row, "chosen", turns.end_of_turn(tokenizer))
    served = tokenizer.apply_chat_template(
        TOOL_USE["messages"][:2], tools=[TOOL], add_generation_prompt=True
    )["input_ids"]
    assert ids[:asked] == served
    assert tokenizer.decode(ids[asked:]).startswith('<tool_call>\n{"name": "track"')


def test_a_template_without_marks_will_do(recipe: Recipe, tmp_path: Path) -> None:
    """Preferences know where the answer begins; ``{% generation %}`` is sft's need."""
    marked = TEMPLATE.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    assert "{%- generation" not in marked
    base = make_base(tmp_path / "base", marked)
    found = prepared(recipe(PAIRS, form="pairs", stage="dpo", base=str(base)), base)
    assert found.train.trained > 0


def test_the_end_of_a_turn_is_what_the_template_closes_it_with(tokenizer: Any) -> None:
    assert turns.end_of_turn(tokenizer) == tokenizer.eos_token_id
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}<|endoftext|>\n{% endfor %}"
    assert turns.end_of_turn(tokenizer) == tokenizer.get_vocab()["<|endoftext|>"]
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    assert turns.end_of_turn(tokenizer) is None


def test_what_is_dropped_is_counted(recipe: Recipe, base: Path) -> None:
    rows = [*PAIRS, pair("red?", "blue", "blue"), pair("red?", "blue " * 300, "red")]
    found = prepared(recipe(rows, form="pairs", stage="dpo"), base)
    assert found.dropped == {
        "chosen and rejected are the same": 1,
        "longer than max_tokens (256)": 1,
    }
    assert len(found.train) + len(found.validation) == len(PAIRS)


def test_margins_stay_with_their_pairs(recipe: Recipe, base: Path, tokenizer: Any) -> None:
    rows = [pair(f"number {i}", f"{i}", "none", margin=i) for i in range(9)] + [pair("red?", "a", "b")]
    found = prepared(recipe(rows, form="pairs", stage="dpo"), base).train
    for i, margin in enumerate(found.margins):
        start, length = found.chosen.starts[i], found.chosen.lengths[i]
        said = tokenizer.decode(found.chosen.ids[start : start + length])
        assert np.isnan(margin) if "red?" in said else f"number {margin:.0f}<" in said


def refusal(path: Path, runs: Path) -> str:
    with pytest.raises((NothingToLearn, BadRows)) as caught:
        run.train(path, runs=runs, report=lambda _: None)
    return str(caught.value)


def test_what_would_teach_nothing_is_refused(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "load_model", lambda name: pytest.fail(f"{name} was loaded"))
    for stage in ("rm", "dpo"):
        path = recipe([pair("red?", "blue", "blue")] * 3, form="pairs", stage=stage)
        text = refusal(path, tmp_path)
        assert "no answer would be trained (3 rows: chosen and rejected are the same); give pairs of" in text
    bare = "{% for m in messages %}{{ m.content }}{% endfor %}"
    base = make_base(tmp_path / "base", bare)
    text = refusal(recipe(PAIRS, form="pairs", stage="dpo", base=str(base)), tmp_path)
    assert "the end of an assistant's turn is never trained" in text
    text = refusal(recipe(PAIRS[:1], form="pairs", stage="dpo"), tmp_path)
    assert "one more is needed to evaluate on" in text


def test_a_template_that_renders_an_answered_prompt_otherwise(recipe: Recipe, tmp_path: Path) -> None:
    last = "{%- if messages[-1].role == 'assistant' %}{{ 'Answered so far. ' }}{% endif -%}"
    base = make_base(tmp_path / "base", last + TEMPLATE)
    text = refusal(recipe(PAIRS[:2], form="pairs", stage="dpo", base=str(base)), tmp_path)
    assert "tiny.jsonl:1: prompt: the base's chat template renders it otherwise once it is answered" in text


def test_bad_rows_are_named_with_file_line_and_field(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe([*PAIRS, {"prompt": "a", "chosen": "b"}], form="pairs", stage="rm")
    assert f"{tmp_path / 'tiny.jsonl'}:31: rejected: must be a text" in refusal(path, tmp_path)


def test_a_generators_labels_are_for_kto(recipe: Recipe, tmp_path: Path) -> None:
    source = {"generator": f"{__name__}:labelled", "rows": 4}
    text = refusal(recipe(stage="dpo", **{"data.sources": [source]}), tmp_path)
    assert "row 1: label: is for dpo with the loss kto" in text


def labelled(rows: int, seed: int) -> list[dict[str, Any]]:
    return LABELS[:rows]


def test_a_pair_is_two_labelled_answers_for_kto(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    path = recipe(PAIRS, form="pairs", stage="dpo", loss="kto")
    from_pairs = prepare_pairs.labelled(loaded(path), base, lambda _: None)
    path = recipe(LABELS, form="labels", stage="dpo", loss="kto")
    from_labels = prepare_pairs.labelled(loaded(path), base, lambda _: None)
    assert np.array_equal(from_pairs.train.rows.ids, from_labels.train.rows.ids)
    assert np.array_equal(from_pairs.train.good, from_labels.train.good)
    assert 20 < from_pairs.train.good.sum() < 35


def test_the_preview_shows_both_answers(recipe: Recipe) -> None:
    shown = list(preview(recipe([pair("red?", "blue 7", "green")] * 2, form="pairs", stage="dpo"), 1))
    assert [(row.number, row.answer) for row in shown] == [(1, "chosen"), (1, "rejected")]
    assert [[span.text for span in row.spans if span.trained] for row in shown] == [
        ["blue 7<|im_end|>"],
        ["green<|im_end|>"],
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not on this machine")
@pytest.mark.parametrize("name", ["dpo_en_demo", "dpo_zh_demo"])
def test_llama_factorys_files_load_unchanged(name: str, recipe: Recipe, base: Path) -> None:
    source = {"path": str(SHARED / f"{name}.json"), "format": "sharegpt"}
    path = recipe(stage="dpo", **{"data.sources": [source], "data.max_tokens": 100_000})
    found = prepared(path, base)
    assert len(found.train) + len(found.validation) + sum(found.dropped.values()) == 300


def test_a_file_of_several_lines_of_pairs(tmp_path: Path) -> None:
    from training.data import sources
    from training.recipe import FileSource

    path = write_rows(tmp_path / "rows.jsonl", PAIRS)
    (part,) = sources.parts(FileSource(path=path, format="pairs"), 0)
    rows = preferences.read(part)
    assert [row.where for row in rows[:2]] == [f"{path}:1", f"{path}:2"]
    assert len({sources.digest(rows), sources.digest(rows[1:])}) == 2


@pytest.mark.parametrize(
    ("reader", "field", "row"),
    [
        (preferences.pairs, "rejected", {"prompt": "a", "chosen": "b", "rejected": " "}),
        (preferences.pairs, "chosen", {"prompt": "a", "chosen": "", "rejected": "b"}),
        (preferences.alpaca, "rejected", {"instruction": "a", "output": ["b", ""]}),
        (preferences.labels, "completion", {"prompt": "a", "completion": "", "label": True}),
    ],
)
def test_an_answer_that_says_nothing_is_told(reader: Any, field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match="says nothing") as caught:
        reader(row)
    assert caught.value.field == field
