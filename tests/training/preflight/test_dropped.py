"""Which rows are dropped, and why, is said before a run as it is by the run: by check and by the preview."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training import intents
from tests.training.asking import QUESTIONS, Online
from tests.training.conftest import SHAPE, Recipe
from tests.training.continued import Continued, texts
from tests.training.preferences import LABELS, PAIRS, pair
from tests.training.rows import CONVERSATIONS, ROOT, WORDS, said, write_rows
from tests.training.test_run import quiet
from training import run
from training.data.reading import sources
from training.errors import NothingToLearn
from training.preflight import check, preview

LONG = "blue " * 300


def told(path: Path, runs: Path) -> list[str]:
    """What the run says of its rows, which check and the preview say in the same words."""
    lines: list[str] = []
    run.train(path, overrides=["train.steps=1"], runs=runs, report=lines.append)
    of_run = [line for line in lines if line.startswith("dropped ") or " to evaluate on" in line]
    assert list(check.check(path, [], quiet).rows) == of_run
    assert preview.counted(path, quiet) == of_run
    assert [line for line in check.check(path, [], quiet).lines if line in of_run] == of_run
    return of_run


def test_conversations_that_are_too_long_or_teach_nothing(recipe: Recipe, tmp_path: Path) -> None:
    asked = [{"messages": [{"role": "user", "content": "red?"}]}]
    first, second, left = told(recipe([*CONVERSATIONS, said("red?", LONG), *asked * 2]), tmp_path)
    assert {first, second} == {
        "dropped 1 rows: longer than max_tokens (256)",
        "dropped 2 rows: no token to learn",
    }
    assert left.startswith("40 rows to train on (")
    assert left.endswith(" of them trained), 6 to evaluate on")


def test_fewer_held_out_than_asked_are_said(recipe: Recipe, online: Online, tmp_path: Path) -> None:
    (left,) = told(recipe(**{"data.validation_rows": 46}), tmp_path)
    assert left.startswith("23 rows to train on (")
    assert left.endswith(
        ", 23 to evaluate on (half of the rows at most, equal ones together, and data.validation_rows is 46)"
    )
    (left,) = told(online("grpo", name="g", **{"data.validation_rows": 1_000}), tmp_path)
    assert left.endswith(
        " to evaluate on (half of the rows at most, equal ones together, and data.validation_rows is 1,000)"
    )


def test_of_cpt_half_of_each_source_is_held_out_at_most(continued: Continued) -> None:
    (left,) = (
        line
        for line in check.check(continued(**{"data.validation_rows": 10**6}), [], quiet).lines
        if " to evaluate on" in line
    )
    assert left.endswith("(half of each source at most, and data.validation_rows is 1,000,000)")


@pytest.mark.parametrize("stage", ["rm", "dpo"])
def test_pairs_that_are_no_pairs(recipe: Recipe, tmp_path: Path, stage: str) -> None:
    unpaired = {"chosen": "\n\nHuman: red?\n\nAssistant: blue", "rejected": "\n\nHuman: red?\n\nAssistant:"}
    rows = [*PAIRS, pair("red?", "blue", "blue"), pair("red?", "blue", LONG), unpaired]
    found = told(recipe(rows, form="pairs", stage=stage), tmp_path)
    assert set(found[:-1]) == {
        "dropped 1 rows: chosen and rejected are the same",
        "dropped 1 rows: longer than max_tokens (256)",
        "dropped 1 rows: chosen or rejected holds no answer",
    }


def test_labelled_answers_that_are_too_long(recipe: Recipe, tmp_path: Path) -> None:
    rows = [*LABELS, {"prompt": "red?", "completion": LONG, "label": True}]
    found = told(recipe(rows, form="labels", stage="dpo", loss="kto"), tmp_path)
    assert found[0] == "dropped 1 rows: longer than max_tokens (256)"


def test_prompts_that_leave_no_room_for_an_answer(online: Online, tmp_path: Path) -> None:
    """The base has 512 positions, of which an answer takes 100; the recipe itself says no length."""
    path = online("grpo", [*QUESTIONS, {"prompt": "red " * 440}], **{"sampling.max_new_tokens": 100})
    assert told(path, tmp_path) == [
        "dropped 1 rows: prompt longer than max_tokens (412)",
        "34 prompts to learn from, 6 to evaluate on",
    ]
    assert [row.number for row in preview.preview(path, 50) if row.too_long] == [41]


def test_texts_of_cpt_are_cut_and_those_without_a_word_are_dropped(
    continued: Continued, tmp_path: Path
) -> None:
    general = write_rows(tmp_path / "some.jsonl", [{"text": " \n"}, *texts(WORDS, 9, 3)])
    more = {"share": 0.2, "sources": [{"path": str(general), "format": "text"}]}
    path = continued(replay=more)
    (tmp_path / "new.jsonl").open("a", encoding="utf-8").write('{"text": ""}\n')
    dropped, left = told(path, tmp_path)
    assert dropped == "dropped 2 rows: no text but white space"
    assert left.startswith("122 rows to train on (")


def test_a_text_without_a_word_is_shown_as_dropped(continued: Continued, tmp_path: Path) -> None:
    write_rows(tmp_path / "some.jsonl", [{"text": " "}, {"text": "red"}])
    path = continued(**{"data.sources": [{"path": str(tmp_path / "some.jsonl"), "format": "text"}]})
    empty, other = preview.preview(path, 2)
    assert (empty.dropped, empty.trained) == ("no text but white space", 0)
    assert (other.dropped, other.trained) == ("", other.tokens)


def test_pieces_that_are_added_are_not_counted(continued: Continued) -> None:
    path = continued(vocabulary={"pieces": 9})
    note, left = preview.counted(path, quiet)
    assert note.startswith("vocabulary: up to 9 pieces are added as the run begins, and are not counted here")
    assert [note, left] == list(check.check(path, [], quiet).rows)


def test_texts_that_were_there_twice(tmp_path: Path, encoder: Path) -> None:
    path = intents.write(tmp_path, encoder, [*intents.texts(), intents.texts()[0]])
    assert told(path, tmp_path / "runs")[0].endswith("; 1 were there twice")


def test_where_the_run_has_yet_to_make_its_tokenizer_what_is_dropped_is_known(recipe: Recipe) -> None:
    template = str(ROOT / "deploy" / "demo" / "chat_template.jinja")
    made = {"tokenizer": {"vocab_size": 400, "chat_template": template}, "model": SHAPE.model_dump()}
    rows = [{"text": "A red parcel."}, {"text": ""}, {"text": "A blue one."}]
    path = recipe(rows, stage="cpt", base=None, alias=None, lora=None, **made)
    assert check.check(path, [], quiet).rows == ()
    assert preview.counted(path, quiet) == ["dropped 1 rows: no text but white space"]


def test_of_a_generator_the_preview_counts_the_first_part(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that it counts are the run's: those of the same number and seed."""
    monkeypatch.setattr(sources, "PART_ROWS", 20)
    written = {"generator": "tests.training.generators:grow_long", "rows": 50}
    first, dropped, left = preview.counted(recipe(**{"data.sources": [written]}), quiet)
    assert first == "tests.training.generators:grow_long(): the first 20 of its 50 rows are counted here"
    assert dropped == "dropped 10 rows: longer than max_tokens (256)"
    assert left.startswith("5 rows to train on (")
    of_all = check.check(recipe(**{"data.sources": [written]}), [], quiet).rows
    assert of_all[0] == "dropped 20 rows: longer than max_tokens (256)"  # its parts are of 20, 20 and 10


def test_that_all_rows_are_dropped_is_said_behind_what_is_shown(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe([said("red?", LONG)] * 3)
    (line,) = preview.counted(path, quiet)
    told_by_run = "no token would be trained (3 rows: longer than max_tokens (256)); raise data.max_tokens"
    assert line.startswith(f"a run would be refused: {told_by_run}")
    with pytest.raises(NothingToLearn) as caught:
        run.train(path, runs=tmp_path, report=quiet)
    assert line == f"a run would be refused: {caught.value}"
    assert all(row.too_long for row in preview.preview(path, 3))
