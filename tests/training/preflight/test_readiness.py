"""What a run that can't begin, or would do nothing, is refused for: all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.training.asking import QUESTIONS, Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.errors import AdapterError, BaseError, NotReady, SourceError
from training.methods import inheritance
from training.preflight import check


def test_all_that_is_missing_is_said_at_once(online: Online, recipe: Recipe, tmp_path: Path) -> None:
    source = {"path": str(tmp_path / "none.jsonl"), "format": "prompt"}
    path = online(
        "ppo",
        base="no/such/folder",
        init_adapter=str(tmp_path / "no adapter"),
        rewards=[{"rule": "tests.training.asking:none"}, {"model": str(tmp_path / "no model")}],
        **{"data.sources": [source, source | {"path": str(tmp_path / "nor this.jsonl")}]},
    )
    with pytest.raises(NotReady) as caught:
        check.check(path, [], quiet)
    first, *others = str(caught.value).splitlines()
    assert first == "6 problems"
    for problem, line in zip(
        ("none", "no model", "none.jsonl", "nor this.jsonl", "no/such/folder", "no adapter"),
        others,
        strict=True,
    ):
        assert problem in line

    sources = [source | {"format": "messages"}]
    path = recipe(lora={"rank": 1000, "targets": ["lm_head", "query"]}, **{"data.sources": sources})
    with pytest.raises(NotReady, match=r"(?s)^3 problems.*rank is 1000.*none\.jsonl.*lora\.targets"):
        check.check(path, [], quiet)


def test_broken_rows_are_said_beside_an_idle_pattern(recipe: Recipe) -> None:
    path = recipe([{"messages": 5}], lora={"rank_pattern": {"query": 4}})
    with pytest.raises(NotReady, match=r"(?s)^2 problems.*'query' is the name of no layer.*1 bad row"):
        check.check(path, [], quiet)


@pytest.mark.parametrize(
    ("lora", "problem"),
    [
        ({"rank": 513}, r"^lora\.rank is 513: vLLM serves ranks up to 512"),
        ({"rank": 8, "rank_pattern": {"q_proj": 600}}, r"^lora\.rank_pattern\.q_proj is 600: vLLM"),
    ],
)
def test_ranks_that_nobody_serves_are_refused(recipe: Recipe, lora: dict[str, Any], problem: str) -> None:
    with pytest.raises(AdapterError, match=problem):
        check.check(recipe(lora=lora), [], quiet)
    assert check.check(recipe(lora=lora, method="dora"), [], quiet).steps  # it is converted anyhow


def test_a_rank_whose_double_nobody_serves_is_refused(recipe: Recipe) -> None:
    path = recipe(method="pissa", lora={"rank": 257})
    with pytest.raises(AdapterError, match=r"lora\.rank is 257: .* twice the rank, .* up to 512; take 256"):
        check.check(path, [], quiet)


@pytest.mark.parametrize(
    ("lora", "problem"),
    [
        ({"targets": ["q_proj", "lm_head"]}, r"lora\.targets: lm_head holds the base's embeddings"),
        ({"targets": ["embed_tokens"]}, r"lora\.targets: embed_tokens holds the base's embeddings"),
        ({"targets": ["q_proj", "query"]}, "no linear layer called 'query'; it has down_proj, gate_proj"),
        ({"targets": ["mlp"]}, "no linear layer called 'mlp'; it has down_proj, gate_proj, k_proj"),
        ({"targets": [""]}, "no linear layer called ''; it has down_proj"),
        ({"targets": ["norm", "model"]}, "no linear layer called 'norm', 'model'"),
        (
            {"alpha_pattern": {"layers.7.*": 4}},
            r"alpha_pattern: 'layers\.7\.\*' is the name of no layer",
        ),
        ({"targets": ["q_proj"], "rank_pattern": {"up_proj": 4}}, "that the adapter is on; one is model"),
    ],
)
def test_what_names_no_layer_is_refused_before_and_by_a_run(
    recipe: Recipe, tmp_path: Path, lora: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BaseError, match=problem):
        check.check(recipe(lora=lora), [], quiet)
    with pytest.raises(BaseError, match=problem):
        run.train(recipe(lora=lora), runs=tmp_path, report=quiet)


def test_more_layers_than_there_are_are_refused(recipe: Recipe, continued: Continued) -> None:
    for key in ("learn_last", "learn_first"):
        with pytest.raises(BaseError, match=rf"^freeze\.{key}: 99 layers, and the base has 2$"):
            check.check(recipe(method="freeze", lora=None, freeze={key: 99}), [], quiet)
    path = continued(method="freeze", freeze={"learn_last": 1}, unfreeze=[{"step": 2, "learn_last": 3}])
    with pytest.raises(BaseError, match=r"unfreeze\.0\.learn_last: 3 layers, and the base has 2"):
        check.check(path, [], quiet)


def test_every_source_is_looked_for(continued: Continued, online: Online, tmp_path: Path) -> None:
    gone = {"path": str(tmp_path / "gone.jsonl"), "format": "text"}
    replay = {"share": 0.3, "sources": [gone]}
    with pytest.raises(SourceError, match=r"gone\.jsonl: no such file"):
        check.check(continued(replay=replay), [], quiet)
    with pytest.raises(SourceError, match=r"gone\.jsonl: no such file"):
        check.check(online("ppo", pretraining={"data": {"sources": [gone]}}), [], quiet)


def test_more_tokens_than_the_base_has_positions_is_said(recipe: Recipe, tmp_path: Path) -> None:
    found = check.check(recipe(**{"data.max_tokens": 4096}), [], quiet)
    assert found.lines[-1].startswith("warning: data.max_tokens is 4,096, and the base has 512 positions")
    said: list[str] = []
    run.train(recipe(**{"data.max_tokens": 4096, "train.steps": 1}), runs=tmp_path, report=said.append)
    assert found.lines[-1] in said
    assert check.check(recipe(), [], quiet).warning is None


@pytest.mark.parametrize("method", ["prefix", "p_tuning", "p_tuning_v2", "prompt_tuning"])
def test_virtual_tokens_take_positions_too(recipe: Recipe, tmp_path: Path, method: str) -> None:
    """The base has 512, and a row of data up to 256 tokens."""
    plan = {"method": method, "lora": None}
    assert check.check(recipe(**plan, **{method: {"tokens": 256}}), [], quiet).warning is None
    warning = check.check(recipe(**plan, **{method: {"tokens": 257}}), [], quiet).warning
    assert warning is not None
    assert warning.startswith(f"warning: data.max_tokens + {method}.tokens is 513, and the base has 512")
    path = recipe(**plan, **{method: {"tokens": 600}})
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(BaseError, match=rf"^{method}\.tokens is 600, and the base has 512 positions"):
            begin()


def test_words_to_begin_with_are_not_cut(recipe: Recipe, tokenizer: Any, tmp_path: Path) -> None:
    text = "Answer the help desk's questions."
    count = len(tokenizer(text)["input_ids"])
    plan = {"method": "prompt_tuning", "lora": None}
    check.check(recipe(**plan, prompt_tuning={"tokens": count, "text": text}), [], quiet)
    path = recipe(**plan, prompt_tuning={"tokens": count - 1, "text": text})
    said = rf"^prompt_tuning\.text is {count} tokens by .* make tokens {count}, or the text shorter"
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(BaseError, match=said):
            begin()


def test_prompts_are_not_cut_for_a_base_that_says_no_positions(online: Online, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bloom"}', encoding="utf-8")
    recipe = recipes.load(online("ppo", base=str(tmp_path)))
    assert inheritance.fitted(recipe) == recipe


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_prompts_and_answers_fit_the_base_where_no_length_is_written(
    online: Online, tmp_path: Path, kind: str
) -> None:
    """The base has 512 positions, and an answer 100 tokens."""
    long = {"prompt": "red " * 440}
    plan = {"train.steps": 1, "sampling.max_new_tokens": 100}
    path = online(kind, [*QUESTIONS, long], **plan)
    assert check.check(path, [], quiet).warning is None
    said: list[str] = []
    run.train(path, runs=tmp_path, report=said.append)
    assert any("1 rows: prompt longer than max_tokens (412)" in line for line in said)
    assert not any("positions" in line for line in said)
    kept = yaml.safe_load((tmp_path / "tiny" / "config.yaml").read_bytes())
    assert kept["data"]["max_tokens"] == 412
    written = check.check(online(kind, **plan, **{"data.max_tokens": 500}), [], quiet).warning
    assert written is not None
    assert written.startswith(
        "warning: data.max_tokens + sampling.max_new_tokens is 600, and the base has 512"
    )
