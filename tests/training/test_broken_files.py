"""Files of a base, a reward model or the data that are broken: named, with what to do, and all at once."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued, replay
from tests.training.preferences import PAIRS
from tests.training.rows import CONVERSATIONS, write_rows
from tests.training.test_run import quiet
from training import run
from training.errors import BadRows, BaseError, NotReady, SourceError
from training.models import base as bases
from training.preflight import check
from training.quantize import process


def problems(path: Path) -> list[str]:
    """What the check of the recipe in ``path`` says, the heading left out."""
    with pytest.raises(NotReady) as caught:
        check.check(path, [], quiet)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def refused(path: Path, runs: Path) -> str:
    """What the check and the run say, which is the same."""
    said = []
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=runs, report=quiet)):
        with pytest.raises(BaseError) as caught:
            begin()
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


def cut(file: Path) -> None:
    """Leave the first half of ``file``."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def not_finite(folder: Path) -> None:
    """One number of one weight is infinite."""
    held: dict[str, Tensor] = load_file(folder / "model.safetensors")
    held["model.layers.1.mlp.up_proj.weight"][3, 4] = math.inf
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def broken(base: Path, tmp_path: Path) -> Path:
    """A base to break."""
    return shutil.copytree(base, tmp_path / "broken")


def test_a_base_without_a_chat_template(recipe: Recipe, continued: Continued, broken: Path) -> None:
    (broken / "chat_template.jinja").unlink()
    for path in (recipe(base=str(broken)), continued(base=str(broken))):
        with pytest.raises(
            BaseError, match=r"no chat template.*; put a chat_template\.jinja into its folder"
        ):
            check.check(path, [], quiet)


@pytest.mark.parametrize("kind", ["sft", "rm", "ppo", "cpt"])
def test_weights_that_are_cut_short(
    recipe: Recipe, continued: Continued, online: Online, broken: Path, kind: str
) -> None:
    cut(broken / "model.safetensors")
    path = {
        "sft": lambda: recipe(base=str(broken)),
        "rm": lambda: recipe(PAIRS, form="pairs", stage="rm", base=str(broken)),
        "ppo": lambda: online("ppo", base=str(broken)),
        "cpt": lambda: continued(base=str(broken)),
    }[kind]()
    told = refused(path, broken.parent)
    assert f"{broken / 'model.safetensors'} (" in told
    assert told.endswith("copy it anew from where it came")


@pytest.mark.parametrize("kind", ["sft", "rm", "ppo", "cpt"])
def test_a_number_of_the_base_that_is_none(
    recipe: Recipe, continued: Continued, online: Online, broken: Path, kind: str
) -> None:
    not_finite(broken)
    path = {
        "sft": lambda: recipe(base=str(broken)),
        "rm": lambda: recipe(PAIRS, form="pairs", stage="rm", base=str(broken)),
        "ppo": lambda: online("ppo", base=str(broken)),
        "cpt": lambda: continued(base=str(broken)),
    }[kind]()
    told = refused(path, broken.parent)
    assert f"base {broken}: model.layers.1.mlp.up_proj.weight holds a number that is NaN or infinite" in told


def test_parts_of_the_weights_that_are_missing(recipe: Recipe, broken: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (broken / "model.safetensors").rename(broken / "model-00001-of-00002.safetensors")
    (broken / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "model-00002-of-00002.safetensors is missing; copy" in refused(recipe(base=str(broken)), broken)
    (broken / "model.safetensors.index.json").write_text('{"weight_map"', encoding="utf-8")
    assert "model.safetensors.index.json can't be read" in refused(recipe(base=str(broken)), broken)


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_a_weight_that_is_missing(recipe: Recipe, broken: Path, stage: str) -> None:
    """In its place transformers draws one, and says so in a log."""
    held = load_file(broken / "model.safetensors")
    del held["model.layers.1.mlp.up_proj.weight"]
    save_file(held, broken / "model.safetensors", metadata={"format": "pt"})
    form = {"rows": PAIRS, "form": "pairs"} if stage == "rm" else {}
    told = refused(recipe(base=str(broken), stage=stage, **form), broken.parent)
    assert "1 of its weights are missing, as model.layers.1.mlp.up_proj.weight; copy it anew" in told


def test_a_base_whose_weights_have_names_of_another_release(recipe: Recipe, broken: Path) -> None:
    """transformers knows weights without the model's own name in front, so check takes none for missing."""
    held = load_file(broken / "model.safetensors")
    renamed = {name.removeprefix("model."): weight for name, weight in held.items()}
    save_file(renamed, broken / "model.safetensors", metadata={"format": "pt"})
    path = recipe(base=str(broken), **{"train.steps": 1})
    assert check.check(path, [], quiet).steps == 1
    assert run.train(path, runs=broken.parent, report=quiet).is_dir()


def test_other_files_of_the_base(recipe: Recipe, broken: Path) -> None:
    path = recipe(base=str(broken))
    whole = (broken / "tokenizer.json").read_bytes()
    (broken / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BaseError, match=r"can't be loaded: its tokenizer: KeyError: 'added_tokens'"):
        check.check(path, [], quiet)
    (broken / "tokenizer.json").write_bytes(whole)
    bases.rewrite_json(broken / "config.json", {"intermediate_size": 60})
    shapes = r"its weights have other shapes than its config\.json says"
    with pytest.raises(BaseError, match=shapes):
        run.train(path, runs=broken, report=quiet)
    with pytest.raises(BaseError, match=rf"{shapes}, as .*proj\.weight, .*64.* where .*60.* is said"):
        check.check(path, [], quiet)
    bases.rewrite_json(broken / "config.json", {"hidden_size": "wide"})
    with pytest.raises(BaseError, match=r"can't be loaded: .*hidden_size"):
        check.check(path, [], quiet)


def test_rows_of_one_source_are_read_beside_another_that_is_missing(
    recipe: Recipe, online: Online, continued: Continued, tmp_path: Path
) -> None:
    def given(form: str, **row: object) -> list[dict[str, str]]:
        rows = write_rows(tmp_path / f"{form}.jsonl", [row])
        return [{"path": str(path), "format": form} for path in (tmp_path / "gone.jsonl", rows)]

    pairs = given("pairs", prompt="a", chosen=5)
    for path, where in (
        (recipe(**{"data.sources": given("messages", messages=5)}), "messages.jsonl:1: messages: "),
        (recipe(name="b", stage="dpo", **{"data.sources": pairs}), "pairs.jsonl:1: chosen: "),
        (online("grpo", name="c", **{"data.sources": given("prompt", prompt=5)}), "prompt.jsonl:1: prompt: "),
        (continued(name="d", **{"data.sources": given("text", text=5)}), "text.jsonl:1: text: "),
    ):
        gone, one, row = problems(path)
        assert "gone.jsonl: no such file" in gone
        assert one == "1 bad row"
        assert row.startswith(f"{tmp_path / where}")


def test_rows_are_read_beside_a_base_that_is_missing(recipe: Recipe, tmp_path: Path) -> None:
    rows = [{"messages": 5}, *CONVERSATIONS]
    base, one, row = problems(recipe(rows, base=str(tmp_path / "none")))
    assert "none' (taken for a hub id" in base
    assert one == "1 bad row"
    assert "tiny.jsonl:1: messages: " in row


def test_rows_of_a_base_from_nothing_are_read(continued: Continued, tmp_path: Path) -> None:
    shape = {
        "hidden_size": 32,
        "layers": 1,
        "heads": 2,
        "kv_heads": 2,
        "intermediate_size": 64,
        "context": 64,
    }
    path = continued(
        base=None,
        model=shape,
        tokenizer={"vocab_size": 400, "chat_template": str(tmp_path / "none.jinja")},
        **{
            "data.sources": [{"path": str(write_rows(tmp_path / "r.jsonl", [{"text": 1}])), "format": "text"}]
        },
    )
    template, one, _ = problems(path)
    assert "none.jinja: No such file" in template
    assert one == "1 bad row"


def test_texts_beside_a_policy_are_read(online: Online, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "texts.jsonl", [{"text": "red"}, {"text": 5}])
    plan = {"data": {"sources": [{"path": str(rows), "format": "text"}]}}
    with pytest.raises(BadRows, match=r"texts\.jsonl:2: text: must be a text"):
        check.check(online("ppo", pretraining=plan), [], quiet)
    write_rows(rows, [{"text": "red"}])
    # None is kept to evaluate on, so one is enough.
    assert check.check(online("ppo", pretraining=plan), [], quiet).steps == 3


def test_replay_is_read_beside_data_that_is_missing(continued: Continued, tmp_path: Path) -> None:
    more = replay(tmp_path)
    write_rows(Path(more["sources"][0]["path"]), [{"text": "red"}, {"text": None}])
    gone = [{"path": str(tmp_path / "gone.jsonl"), "format": "text"}]
    told = problems(continued(replay=more, **{"data.sources": gone}))
    assert len(told) == 3
    assert "general.jsonl:2: text" in told[2]


def test_quantize_tells_of_all(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "refuse_without_packages", lambda: None)
    changes = {"stage": "quantize", "alias": None, "lora": None, "train": None}
    base, one, row = problems(recipe([{"messages": 5}], base=str(tmp_path / "none"), **changes))
    assert "none' (taken for a hub id" in base
    assert one == "1 bad row"
    assert "messages" in row
    shape, one, _ = problems(recipe([{"messages": 5}], group_size=128, **changes))
    assert shape.startswith("group_size: 128 does not divide")
    assert one == "1 bad row"


def test_an_id_of_a_hub_is_told_from_a_file_that_is_not_there(recipe: Recipe) -> None:
    with pytest.raises(SourceError, match=r"no such file; .* \(`hf download --repo-type dataset org/rows`\)"):
        check.check(recipe(), ["data.sources.0.path=org/rows"], quiet)
    with pytest.raises(SourceError, match=r"rows\.jsonl: no such file; paths are seen from [^`]*$"):
        check.check(recipe(), ["data.sources.0.path=org/rows.jsonl"], quiet)
