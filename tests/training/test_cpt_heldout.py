"""Held-out likelihood: by hand, packed or not, and over the same characters whatever the vocabulary is."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.continued import NEW_WORDS, Continued, replay, texts
from tests.training.test_cpt_recipe import loaded
from training.convert import fidelity
from training.cpt import gain, heldout, mixture, vocabulary
from training.cpt.heldout import Text, align, likelihood
from training.data.tokens.token_rows import TokenRows
from training.models import base as bases
from training.recipe import Vocabulary


def rows(*lengths: int) -> TokenRows:
    ids = np.arange(sum(lengths), dtype=np.int32) + 5
    return TokenRows(ids, np.ones(len(ids), np.bool_), np.array(lengths))


def measured(model: Any, given: TokenRows, batch_rows: int = 2) -> heldout.Likelihood:
    return likelihood(
        model, given, block=32, batch_rows=batch_rows, pad=0, arithmetic=contextlib.nullcontext()
    )


@pytest.fixture(scope="module")
def model(speaker: Path) -> Any:
    return bases.load_model(str(speaker)).train()


def test_packed_rows_are_as_likely_as_each_alone(model: Any) -> None:
    given = rows(9, 3, 14, 1, 26)
    given.loss_mask[4:6] = False
    found = measured(model, given)
    nats, tokens, right = 0.0, 0, 0
    for ids, learned in fidelity.sequences(given):
        with torch.no_grad():
            said = fidelity.log_probs(model, ids)[learned]
        answers = ids[0, 1:][learned]
        nats -= float(said.gather(1, answers[:, None]).sum())
        right += int((said.argmax(-1) == answers).sum())
        tokens += len(answers)
    assert (found.tokens, found.right) == (tokens, right) == (heldout.asked(given), right)
    assert found.nats == pytest.approx(nats, abs=1e-3)
    assert model.training  # as it was before


def test_a_cut_is_where_the_bases_tokens_fill_a_block() -> None:
    """Ids 90 and 91 stand for 3 and 2 old ones, in blocks of 4:

    new  5 90 | 6 91 7 | 90 8       old  5 1 2 3 | 6 1 4 7 | 1 2 3 8
    """
    new = TokenRows(np.array([5, 90, 6, 91, 7, 90, 8], np.int32), np.ones(7, np.bool_), np.array([7]))
    aligned, old = align(new, {90: [1, 2, 3], 91: [1, 4]}, 4)
    assert aligned.lengths.tolist() == [2, 3, 2]
    assert old.lengths.tolist() == [4, 4, 4]
    assert old.ids.tolist() == [5, 1, 2, 3, 6, 1, 4, 7, 1, 2, 3, 8]
    # What a row's first token says can't be asked for, and so neither any old token of it.
    assert old.loss_mask.tolist() == [False, True, True, True] * 2 + [False, False, False, True]
    assert heldout.asked(aligned) == 4
    assert heldout.asked(old) == 7


def test_without_new_pieces_both_are_the_same() -> None:
    aligned, old = align(rows(9, 2), {}, 4)
    assert aligned is old
    assert old.lengths.tolist() == [4, 4, 1, 2]


def test_tokens_per_character_are_counted_on_the_text_alone(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    old = bases.load_tokenizer(str(base))
    written = [str(row["text"]) for row in texts(NEW_WORDS, 60, 1)]
    vocabulary.save(old, vocabulary.learn(old, written, Vocabulary(pieces=12, min_count=2)), tmp_path / "t")
    new = bases.load_tokenizer(str(tmp_path / "t"))
    prepared = mixture.prepared(
        loaded(continued(replay=replay(tmp_path), probe={"rows": 5})), tmp_path / "t", print
    )
    found = heldout.texts(prepared, vocabulary.pieces(old, new), new, 64)
    assert [(text.name, text.general) for text in found] == [
        ("new.jsonl", False),
        ("general.jsonl", True),
    ]
    held = [
        text for text in written if f"{text}<|endoftext|>" in new.batch_decode(_split(prepared.validation))
    ]
    assert len(held) == 8
    assert found[0].characters == sum(map(len, held))
    assert found[0].tokens == sum(len(new(text)["input_ids"]) for text in held)
    assert found[0].tokens_before == sum(len(old(text)["input_ids"]) for text in held)
    assert found[1].tokens == found[1].tokens_before  # the general text has none of the new pieces


def _split(given: TokenRows) -> list[Any]:
    return [given.ids[at : at + length] for at, length in zip(given.starts, given.lengths, strict=True)]


def test_the_table_pools_by_length_and_says_what_was_gained() -> None:
    """Texts of 1 and 3 tokens: (1 × 4 + 3 × 2) / 4 = 2.5 nats before, (1 × 2 + 3 × 2) / 4 = 2.0 after."""
    one = Text("a", False, rows(2), rows(2), characters=10, tokens=4, tokens_before=5)
    other = Text("b", False, rows(4), rows(4), characters=30, tokens=8, tokens_before=15)
    general = Text("c", True, rows(3), rows(3), characters=20, tokens=9, tokens_before=9)
    found = gain.lines([one, other, general], {"a": 4.0, "b": 2.0, "c": 1.0}, {"a": 2.0, "b": 2.0, "c": 1.1})
    assert [line.text for line in found] == ["a", "b", "all new text", "c"]
    assert [line.change for line in found] == pytest.approx([-2.0, 0.0, -0.5, 0.1])
    assert (found[2].tokens_per_character_before, found[2].tokens_per_character) == (0.5, 0.3)
    assert found[2].perplexity == pytest.approx(math.exp(2.0))
    lines = gain.table(found).splitlines()
    assert lines[-3] == "| c (general) | 20 | 0.4500 | 0.4500 | 2.718 | 3.004 | +0.1000 |"
    assert lines[-1].startswith("Perplexity and nats are per token of the base's tokenizer")
    assert gain.table(found[-1:]).splitlines()[-1].startswith("| c")  # its tokenizer is the base's
    nothing = gain.table(gain.lines([one], {}, {"a": 2.0})).splitlines()[2]
    assert nothing == "| a | 10 | 0.5000 | 0.4000 |  | 7.389 |  |"


def test_a_source_is_called_by_its_file_and_folders_only_where_two_files_are_alike() -> None:
    made = "pack.corpus:write(folder=/a/b)"
    assert heldout.names(["/data/a/new.jsonl", "old/b.jsonl", made]) == {
        "/data/a/new.jsonl": "new.jsonl",
        "old/b.jsonl": "b.jsonl",
        made: made,
    }
    assert heldout.names(["/data/a/new.jsonl", "/data/b/new.jsonl", "new.jsonl"]) == {
        "/data/a/new.jsonl": "a/new.jsonl",
        "/data/b/new.jsonl": "b/new.jsonl",
        "new.jsonl": "new.jsonl",
    }
