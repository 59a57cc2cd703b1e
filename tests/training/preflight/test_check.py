"""What is known before a run begins: how its result is served, and what it needs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued
from tests.training.rows import CONVERSATIONS, said, write_rows
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.cpt import vocabulary
from training.errors import AdapterError, BaseError, NothingToLearn, NotReady, RewardError, RunConflict
from training.methods import choice
from training.preflight import check
from training.recipe import SftRecipe
from training.runs import estimate
from training.runs.estimate import duration

OWN = (
    "a base of its own, by the settings' engine.model; `pointsman convert --to lora` gives a LoRA by "
    "singular values, of the linear layers alone: embeddings and norms stay the base's"
)
SERVED = {
    "lora": "an adapter of rank 4, as it is",
    "qlora": "an adapter of rank 4, as it is",
    "dora": "not as it is; `pointsman convert --to lora` gives a LoRA by singular values, --to base: merged",
    "pissa": "not as it is; `pointsman convert --to lora` gives a LoRA, exact, --to base: merged",
    "full": OWN,
    "freeze": OWN,
    "prefix": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "p_tuning": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "p_tuning_v2": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "prompt_tuning": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
}


def loaded(path: Path) -> SftRecipe:
    found = recipes.load(path)
    assert isinstance(found, SftRecipe)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_what_is_counted_without_weights_is_what_learns(recipe: Recipe, base: Path, method: str) -> None:
    plan = loaded(recipe(method=method, **{"lora": None} | METHODS[method]))
    assert check.served(plan).startswith(SERVED[method])
    before = estimate.of(choice.outline(plan), plan)
    assert before == estimate.of(choice.prepared(plan, choice.plain_base(plan)), plan)
    assert (before.trainable == before.parameters) == (method == "full")
    assert before.optimiser == 8 * before.trainable


def test_a_recipe_is_looked_at_with_its_data(recipe: Recipe) -> None:
    found = check.check(recipe(**{"train.steps": None, "train.epochs": 2.0}), ["train.accumulate=3"], quiet)
    assert found.steps == 8  # two epochs of 40 rows in steps of 12
    assert found.tokens
    assert found.seconds
    assert re.search(r"about [\d.]+ \wB of tensors at most \(.*\); a CPU's allocator takes", found.lines[2])
    assert [line.partition(" ")[0] for line in found.lines] == ["served:", "40", "4,352", "8"]
    with pytest.raises(NothingToLearn, match=r"longer than max_tokens \(16\)"):
        check.check(recipe([said("red? " * 30, "green")] * 4, **{"data.max_tokens": 16}), [], quiet)
    with pytest.raises(BaseError, match="can't be loaded"):
        check.check(recipe(base="no/such/folder"), [], quiet)
    with pytest.raises(DocumentError, match="belongs to the method prefix"):
        check.check(recipe(prefix={"tokens": 3}), [], quiet)


def test_pieces_of_vocabulary_are_said_to_be_uncounted(continued: Continued) -> None:
    grown = check.check(continued(vocabulary={"pieces": 1500, "min_count": 2}), [], quiet)
    assert grown.lines[1].startswith(
        "vocabulary: up to 1,500 pieces are added as the run begins, and are not "
    )
    assert grown.lines[2:4] == check.check(continued(), [], quiet).lines[1:3]  # as without them


def test_pieces_that_no_text_has_are_refused(continued: Continued, monkeypatch: pytest.MonkeyPatch) -> None:
    rare = continued(vocabulary={"pieces": 10, "min_count": 99_999})
    with pytest.raises(NothingToLearn, match=r"occur 99999 times .* lower vocabulary\.min_count"):
        check.check(rare, [], quiet)
    monkeypatch.setattr(vocabulary, "_AT_ONCE", 5)
    monkeypatch.setattr(vocabulary, "LOOKED_AT", 10)
    told = check.check(rare, [], quiet).lines
    assert any(line.startswith("vocabulary.min_count: in the first ") for line in told)


def test_what_a_run_would_begin_with_is_looked_for(recipe: Recipe, online: Online, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"init_adapter .*manifest\.json: no such file"):
        check.check(recipe(init_adapter=str(tmp_path / "none")), [], quiet)
    for reward, problem in (
        ({"rule": "tests.training.asking:none"}, r"rewards\.0\.rule: .*none"),
        ({"model": str(tmp_path / "none")}, "none: no such folder; .* stage rm makes one"),
        ({"model": str(tmp_path)}, r"manifest\.json: no such file"),
    ):
        with pytest.raises(RewardError, match=problem):
            check.check(online("ppo", rewards=[reward]), [], quiet)
    assert check.check(online("ppo"), [], quiet).steps == 3


def test_the_longest_row_counts_and_not_what_is_allowed(recipe: Recipe) -> None:
    short, long = (check.check(recipe(**{"data.max_tokens": n}), [], quiet).needs for n in (256, 500))
    assert short == long


def test_durations_are_said_in_the_unit_that_suits_them() -> None:
    assert [duration(s) for s in (0.2, 89, 91, 5000, 9000)] == ["1 s", "89 s", "2 min", "83 min", "2.5 h"]


def test_a_folder_that_holds_another_run_stands_in_the_way(recipe: Recipe, tmp_path: Path) -> None:
    path, runs = recipe(**{"train.steps": 1, "train.batch_rows": 2}), tmp_path / "runs"
    assert check.check(path, [], quiet, runs).begun is None
    assert not runs.exists()  # nothing is written
    run.train(path, runs=runs, report=quiet)
    finished = check.check(path, [], quiet, runs)
    assert finished.lines[-1].startswith(f"{runs / 'tiny'} is finished: its artefact is ")
    other = ["train.learning_rate=0.5"]
    told = r"holds a run of another recipe \(train\.learning_rate: 0\.01 then, 0\.5 now\)"
    with pytest.raises(RunConflict, match=told):
        check.check(path, other, quiet, runs)
    assert check.check(path, other, quiet).begun is None  # where runs are is not said
    with pytest.raises(NotReady) as caught:  # beside what else is wrong
        check.check(path, [*other, "base=nowhere"], quiet, runs)
    assert [type(error) for error in caught.value.errors] == [RunConflict, BaseError]
    write_rows(tmp_path / "tiny.jsonl", CONVERSATIONS[1:])
    with pytest.raises(RunConflict, match=r"is finished, and .*tiny\.jsonl changed since"):
        check.check(path, [], quiet, runs)


def test_a_run_that_was_stopped_is_gone_on_with(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(**{"train.save_every": 2})
    run.train(path, runs=tmp_path, report=quiet)
    shutil.rmtree(tmp_path / "tiny" / "artefact")
    before = sorted(tmp_path.rglob("*"))
    told = check.check(path, [], quiet, tmp_path).begun
    assert told == f"{tmp_path / 'tiny'} holds a run that was stopped, which `pointsman train` goes on with"
    assert sorted(tmp_path.rglob("*")) == before
