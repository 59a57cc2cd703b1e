"""What a run of cpt reads: long texts in parts, replay by its share, some of every source held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.continued import NEW_WORDS, Continued, replay, texts
from tests.training.data.test_prepare import texts as said
from tests.training.rows import write_rows
from tests.training.test_cpt_recipe import loaded
from training.cpt import documents, mixture
from training.data.rendering.render import end_of_text
from training.errors import NothingToLearn


def prepared(path: Path, base: Path) -> mixture.Mixture:
    return mixture.prepared(loaded(path), base, lambda _: None)


@given(st.text(alphabet="ab \n", max_size=300), st.integers(2, 40))
def test_the_parts_of_a_text_are_the_text(text: str, limit: int) -> None:
    parts = list(documents.cut(text, limit))
    assert "".join(parts) == text
    assert all(len(part) <= limit for part in parts)
    assert all(len(part) >= limit // 2 for part in parts[:-1])


def test_a_text_is_cut_at_the_best_place() -> None:
    assert list(documents.cut("one two three\nfour five", 16)) == ["one two three\n", "four five"]
    assert list(documents.cut("one two three four", 10)) == ["one two", " three", " four"]
    assert list(documents.cut("a b c\n\nd e\nf", 10)) == ["a b c\n\n", "d e\nf"]


def test_a_long_text_ends_once(continued: Continued, base: Path, tmp_path: Path, tokenizer: Any) -> None:
    text = "\n".join(str(row["text"]) for row in texts(NEW_WORDS, 30, 3))
    path = tmp_path / "long.txt"
    path.write_text(text, encoding="utf-8")
    found = prepared(continued(**{"data.sources": [{"path": str(path), "format": "text"}]}), base)
    rows = [*said(found.train, tokenizer), *said(found.validation, tokenizer)]
    end = tokenizer.decode([end_of_text(tokenizer)])
    assert len(rows) > 8
    assert sum(row.endswith(end) for row in rows) == 1
    assert sorted("".join(rows).replace(end, "")) == sorted(text)  # nothing is lost, nothing is twice


def test_the_share_of_replay_is_that_of_the_tokens(continued: Continued, base: Path, tmp_path: Path) -> None:
    for share in (0.1, 0.4, 0.8):  # the last one reads the general text several times
        found = prepared(continued(replay=replay(tmp_path, share)), base)
        new, general = (
            found.tokens[str(tmp_path / "new.jsonl")],
            found.tokens[str(tmp_path / "general.jsonl")],
        )
        longest = int(found.train.lengths.max())
        assert new + general == found.train.tokens
        assert general - longest < share / (1 - share) * new <= general


def test_weights_count_among_new_texts_and_leave_the_share_as_it_is(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    other = write_rows(tmp_path / "other.jsonl", texts(NEW_WORDS, 60, 9))
    given = [
        {"path": str(tmp_path / "new.jsonl"), "format": "text"},
        {"path": str(other), "format": "text", "weight": 3},
    ]
    found = prepared(continued(replay=replay(tmp_path, 0.5), **{"data.sources": given}), base)
    one, three, general = (
        found.tokens[str(tmp_path / f"{name}.jsonl")] for name in ("new", "other", "general")
    )
    assert 2.7 < three / one < 3.3
    assert general == pytest.approx(one + three, rel=0.01)


def test_some_of_every_source_is_held_out_and_never_trained_on(
    continued: Continued, base: Path, tmp_path: Path, tokenizer: Any
) -> None:
    small = write_rows(tmp_path / "small.jsonl", texts(["lone"], 3, 5))
    given = [{"path": str(tmp_path / "new.jsonl"), "format": "text"}, {"path": str(small), "format": "text"}]
    path = continued(replay=replay(tmp_path), probe={"rows": 7}, **{"data.sources": given})
    found = prepared(path, base)
    general = str(tmp_path / "general.jsonl")
    assert {name: len(rows) for name, rows in found.heldout.items()} == {
        str(tmp_path / "new.jsonl"): 4,
        str(small): 1,  # half of three rows
        general: 7,
    }
    assert found.probed == {general}
    trained = {*said(found.train, tokenizer)}
    for rows in found.heldout.values():
        assert trained.isdisjoint(said(rows, tokenizer))
    assert len(found.validation) == 5  # of the new texts


def test_a_probe_of_its_own_is_measured_and_nothing_else(
    continued: Continued, base: Path, tmp_path: Path, tokenizer: Any
) -> None:
    probe = write_rows(tmp_path / "probe.jsonl", texts(["late early"], 9, 7))
    sources = [{"path": str(probe), "format": "text"}]
    path = continued(replay=replay(tmp_path), probe={"rows": 5, "sources": sources})
    found = prepared(path, base)
    assert found.probed == {str(probe)}
    assert len(found.heldout[str(probe)]) == 5
    assert str(tmp_path / "general.jsonl") not in found.heldout
    assert not any("late early late early late" in text for text in said(found.train, tokenizer))


def test_what_is_held_out_does_not_depend_on_the_tokenizer(
    continued: Continued, base: Path, tmp_path: Path, tokenizer: Any
) -> None:
    path = continued(replay=replay(tmp_path), vocabulary={"pieces": 20, "sample_rows": 1000})
    learned_from = mixture.training_texts(loaded(path), 1000, lambda _: None)
    trained = {text.replace("<|endoftext|>", "") for text in said(prepared(path, base).train, tokenizer)}
    new = {str(row["text"]) for row in texts(NEW_WORDS, 60, 1)}
    assert {*learned_from} == trained & new
    assert len(learned_from) == 52


def test_nothing_to_train_on_or_to_measure_is_refused(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    one = write_rows(tmp_path / "one.jsonl", texts(NEW_WORDS, 1, 5))
    with pytest.raises(NothingToLearn, match="one more is needed to evaluate on"):
        prepared(continued(**{"data.sources": [{"path": str(one), "format": "text"}]}), base)
    general = {"share": 0.5, "sources": [{"path": str(one), "format": "text"}]}
    with pytest.raises(NothingToLearn, match="the general text has a single row"):
        prepared(continued(replay=general), base)
    path = tmp_path / "talk.jsonl"
    write_rows(path, [{"messages": [{"role": "user", "content": f"a {i}"}]} for i in range(4)])
    talk = continued(
        vocabulary={"pieces": 5}, **{"data.sources": [{"path": str(path), "format": "messages"}]}
    )
    with pytest.raises(NothingToLearn, match="the sources hold conversations only"):
        mixture.training_texts(loaded(talk), 10, lambda _: None)


def test_held_out_texts_that_are_learned_too_are_counted(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    assert prepared(continued(), base).learned_too == 0
    often = write_rows(tmp_path / "often.jsonl", [{"text": "red parcel"}] * 30)
    path = continued(**{"data.sources": [{"path": str(often), "format": "text"}]})
    found = prepared(path, base)
    assert found.learned_too == len(found.validation) > 0


def test_texts_without_a_word_are_dropped_and_counted(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    rows = [row for text in texts(NEW_WORDS, 20, 3) for row in (text, {"text": " \n"}, {"text": ""})]
    source = {"path": str(write_rows(tmp_path / "gaps.jsonl", rows)), "format": "text"}
    grown = {"vocabulary": {"pieces": 4, "min_count": 2}}
    path = continued(**{"data.sources": [source], **grown})
    found = prepared(path, base)
    assert found.dropped == {"no text but white space": 40}
    assert len(found.train) + len(found.validation) == 20
    learned = mixture.training_texts(loaded(path), 99, lambda _: None)
    assert len(learned) == len(found.train)  # pieces come from the very rows that are trained on
    write_rows(tmp_path / "gaps.jsonl", rows[1:3])
    for look in (
        lambda: prepared(path, base),
        lambda: mixture.training_texts(loaded(path), 99, lambda _: None),
    ):
        with pytest.raises(NothingToLearn, match=r"no row is left .* \(2 rows: no text but white space\)"):
            look()


def test_the_same_seed_draws_the_same_rows(continued: Continued, base: Path, tmp_path: Path) -> None:
    path = continued(replay=replay(tmp_path))
    one, other = prepared(path, base), prepared(path, base)
    assert np.array_equal(one.train.ids, other.train.ids)
    assert one.hashes.keys() == {str(tmp_path / "new.jsonl"), str(tmp_path / "general.jsonl")}
