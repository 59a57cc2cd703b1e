"""Recipes of continued pre-training: what does not fit together is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.continued import Continued, replay
from training import recipe as recipes
from training.data.formats import learned
from training.data.reading.sources import parts
from training.errors import BadRows, NothingToLearn, SourceError
from training.preflight import check
from training.recipe import CptRecipe, FileSource
from training.runs.estimate import Estimate

LINES = "First line,\n\nsecond one\nand its end.\n  \n\n\nThird.\n"


def loaded(path: Path) -> CptRecipe:
    recipe = recipes.load(path)
    assert isinstance(recipe, CptRecipe)
    return recipe


def refusal(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        recipes.load(path)
    return "\n".join(f"{problem.field}: {problem.message}" for problem in caught.value.problems)


def test_all_that_does_not_fit_together_is_said_at_once(continued: Continued, tmp_path: Path) -> None:
    again = {"path": str(tmp_path / "new.jsonl"), "format": "text"}
    found = refusal(
        continued(
            alias="tiny",
            lora={"rank": 4},
            unfreeze=[{"step": 4, "learn_last": 1}, {"step": 2, "learn": "."}],
            probe={"max_forgetting": 0.1, "sources": [again]},
            **{"data.sources": [again, again]},
        )
    )
    assert "lora: belongs to the methods lora, qlora, not to the method full; remove it" in found
    assert "unfreeze: belongs to the method freeze, not to full" in found
    assert "unfreeze: the steps must rise, found 4, 2" in found
    assert "alias: with the method full the result is a base, and no adapter" in found
    assert "probe.max_forgetting: needs train.evaluate_every" in found
    assert f"data.sources: {again['path']} is one of data.sources already" in found
    assert f"probe.sources: {again['path']} is one of data.sources already" in found


def test_a_release_after_the_end_and_a_probe_of_nothing_are_refused(continued: Continued) -> None:
    late = {"method": "freeze", "freeze": {"learn_last": 1}, "unfreeze": [{"step": 6, "learn": "."}]}
    found = refusal(continued(**late, probe={"rows": 4}))
    assert "unfreeze: step 6 is not before the run's end, train.steps (6)" in found
    assert "probe: name its sources, or a replay whose held-out rows are measured" in found


def test_a_base_from_nothing_has_nothing_to_extend_to_freeze_or_to_forget(continued: Continued) -> None:
    shape = {
        "hidden_size": 32,
        "layers": 2,
        "heads": 2,
        "kv_heads": 1,
        "intermediate_size": 64,
        "context": 128,
    }
    found = refusal(
        continued(
            base=None,
            model=shape,
            tokenizer={"vocab_size": 400, "chat_template": "x.jinja"},
            method="lora",
            vocabulary={"pieces": 8},
            probe={"max_forgetting": 0.1, "sources": [{"path": "other.txt", "format": "text"}]},
            **{"train.evaluate_every": 2},
        )
    )
    assert "method: a base from nothing learns as a whole (full), found lora" in found
    assert "vocabulary: a base from nothing has no tokens yet to add to" in found
    assert "probe.max_forgetting: a base from nothing knows nothing that it could forget" in found


def test_replay_is_always_probed(continued: Continued, tmp_path: Path) -> None:
    recipe = loaded(continued(replay=replay(tmp_path)))
    assert recipe.probe
    assert recipe.probe.rows == 200
    assert CptRecipe.model_validate(recipe.model_dump(mode="json")) == recipe  # as a run's config holds it


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ("file", [LINES]),
        ("paragraph", ["First line,", "second one\nand its end.", "Third.\n"]),
        ("line", ["First line,", "second one", "and its end.", "Third."]),
    ],
)
def test_a_text_file_holds_one_document_or_many(tmp_path: Path, documents: str, expected: list[str]) -> None:
    path = tmp_path / "new.txt"
    path.write_text(LINES, encoding="utf-8")
    source = FileSource.model_validate({"path": path, "format": "text", "documents": documents})
    rows = learned.read(parts(source, 0)[0], "cpt")
    assert [row.text for row in rows] == expected
    lines = LINES.split("\n")
    for row in rows[1:]:
        line = int(row.where.rpartition(":")[2])
        assert lines[line - 1] == (row.text or "").split("\n", maxsplit=1)[0]


def test_only_a_text_file_is_parted_and_an_empty_one_is_refused(continued: Continued, tmp_path: Path) -> None:
    rows = {"path": "new.jsonl", "format": "text", "documents": "line"}
    assert "documents: only a .txt file is parted, new.jsonl has" in refusal(
        continued(**{"data.sources": [rows]})
    )
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    source = FileSource(path=tmp_path / "empty.txt", format="text")
    with pytest.raises(SourceError, match=r"empty\.txt holds no rows"):
        learned.read(parts(source, 0)[0], "cpt")


def test_a_row_without_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"content": "b"}\n', encoding="utf-8")
    with pytest.raises(BadRows, match=r"rows\.jsonl:2: text: "):
        learned.read(parts(FileSource(path=path, format="text"), 0)[0], "cpt")


def test_it_is_said_before_a_run_what_it_needs_and_how_its_result_is_served(continued: Continued) -> None:
    def quiet(_: str) -> None:
        pass

    frozen = {"method": "freeze", "freeze": {"learn_last": 1}}
    some = check.check(continued(**frozen), (), quiet)
    more = check.check(continued(**frozen, unfreeze=[{"step": 2, "learn": "."}]), (), quiet)
    assert isinstance(some.needs, Estimate)
    assert isinstance(more.needs, Estimate)
    assert some.needs.trainable < more.needs.trainable == more.needs.parameters
    assert some.served.startswith("a base of its own, by the settings' engine.model; `pointsman convert")
    late = continued(
        **frozen, unfreeze=[{"step": 5_000, "learn": "."}], train={"learning_rate": 0.01, "epochs": 1}
    )
    with pytest.raises(NothingToLearn, match=r"unfreeze\.0: the run ends after at most \d+ steps, so what"):
        check.check(late, (), quiet)
    adapter = check.check(continued(method="lora", alias="tiny", lora={"rank": 4}), (), quiet)
    assert adapter.served.startswith("an adapter of rank 4, as it is")
