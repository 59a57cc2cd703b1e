"""Pairs become the tokens that serving has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import Recipe, make_base
from tests.training.preferences import ASKED, BAD, PAIRS, dpo, loaded, pair
from tests.training.rows import TEMPLATE, TOOL, TOOL_USE, write_rows
from tests.training.test_run import quiet
from training.data.formats import preferences
from training.data.formats.pair import Pair
from training.data.preparing import prepare_pairs
from training.data.preparing.collection import Prepared
from training.data.rendering import turns
from training.data.tokens.token_pairs import PairRows
from training.preflight.preview import preview

SHARED = (
    Path(os.environ.get("POINTSMAN_DATA") or Path(__file__).parents[3].parent / "shared" / "data")
    / "preference"
)


def prepared(path: Path, base: Path) -> Prepared[PairRows]:
    return prepare_pairs.pairs(loaded(path), base, lambda _: None)


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
    assert isinstance(row, Pair)
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
    from training.data.reading import sources
    from training.recipe import FileSource

    path = write_rows(tmp_path / "rows.jsonl", PAIRS)
    (part,) = sources.parts(FileSource(path=path, format="pairs"), 0)
    rows = preferences.read(part)
    assert [row.where for row in rows[:2]] == [f"{path}:1", f"{path}:2"]
    assert len({sources.digest(rows), sources.digest(rows[1:])}) == 2


def test_pairs_are_taken_and_joined_whole(recipe: Recipe, base: Path) -> None:
    rows = prepare_pairs.pairs(loaded(dpo(recipe)), base, quiet).train
    order = np.arange(len(rows))[::-1]
    back = PairRows.join([rows.take(order[:5]), rows.take(order[5:])]).take(order)
    assert back.chosen.ids.tolist() == rows.chosen.ids.tolist()
    assert back.rejected.lengths.tolist() == rows.rejected.lengths.tolist()
