"""The stage quantize: real GPTQ on the tiny base, and the packed weights read as vLLM reads them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from pointsman import artefact
from pointsman.document import DocumentError
from service.adapters.base import read_base
from service.sections import EngineSettings
from tests.training.rows import CONVERSATIONS, write_rows
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.data.tokens.token_rows import TokenRows
from training.errors import BaseError, DiskFull, NothingToLearn, OutOfMemory, QuantizeError
from training.models import base as bases
from training.preflight import check, preview
from training.quantize import layers, packed, process, rows
from training.recipe import QuantizeRecipe
from training.runs.bar import Bar

installed = pytest.mark.skipif(
    not (process.PACKAGES / "gptqmodel").is_dir(), reason="GPTQModel is not installed: make env-quantize"
)


TURNED = """
import json
import os
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

__version__ = "0"


def QuantizeConfig(**settings):
    assert settings["sym"] and not settings["desc_act"]


class GPTQModel:
    quant_log = [{"layer": 0, "loss": "0.5"}, {"layer": 0, "loss": "rtn"}, {"layer": 1, "loss": "0.25"}]

    @staticmethod
    def load(base, settings):
        return GPTQModel()

    def quantize(self, rows, batch_size, calibration_data_min_length):
        print("noise")  # on standard output, which must not disturb the protocol
        for layer in (0, 1):
            self.layer_callback(layer_idx=layer, submodule_finalized=False)

    def save(self, folder):
        os.mkdir(folder)
        save_file({"model.norm.weight": np.full(32, -3.0, np.float32)}, f"{folder}/model.safetensors")
        Path(folder, "config.json").write_text(json.dumps({"quantization_config": {"bits": 4}}))
"""


def write(folder: Path, base: Path, **changes: Any) -> Path:
    """A recipe in ``folder``; ``changes`` are its own keys, or the data's."""
    content: dict[str, Any] = {
        "stage": "quantize",
        "name": "small",
        "base": str(base),
        "bits": 4,
        "group_size": 32,
        "data": {
            "sources": [
                {"path": str(write_rows(folder / "rows.jsonl", CONVERSATIONS)), "format": "messages"},
                {
                    "path": str(write_rows(folder / "texts.jsonl", [{"text": "red and blue " * 30}])),
                    "format": "text",
                },
            ],
            "calibration_rows": 24,
            "validation_rows": 8,
            "max_tokens": 64,
        },
    }
    for key, value in changes.items():
        (content["data"] if key in content["data"] else content)[key] = value
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def loaded(path: Path) -> QuantizeRecipe:
    found = recipes.load(path)
    assert isinstance(found, QuantizeRecipe)
    return found


def pack(numbers: torch.Tensor, bits: int) -> torch.Tensor:
    """(N, M) → (N · bits / 32, M), by plain arithmetic: the first number has the lowest bits."""
    each = 32 // bits
    found = np.zeros((numbers.shape[0] // each, numbers.shape[1]), np.uint32)
    for i in range(each):
        found |= numbers[i::each].numpy().astype(np.uint32) << np.uint32(bits * i)
    return torch.from_numpy(found.view(np.int32).copy())


@installed
def test_a_base_is_quantised_measured_and_written(tmp_path: Path, base: Path) -> None:
    said_so: list[str] = []
    made = run.train(write(tmp_path, base), runs=tmp_path / "runs", report=said_so.append)
    assert any("24 rows to calibrate with" in line for line in said_so)
    manifest = artefact.read_manifest(made)
    assert (manifest.stage, manifest.method, manifest.base) == ("quantize", "gptq", bases.identify(str(base)))
    assert manifest.libraries["gptqmodel"]
    found = manifest.metrics
    assert found["perplexity_cost"] == pytest.approx(
        found["perplexity"] / found["perplexity_before"] - 1, abs=1e-5
    )
    assert abs(found["perplexity_cost"]) < 0.05
    header = 12_000  # of the safetensors file, which outweighs so small a model
    assert found["bytes"] == pytest.approx(layers.shape(loaded(tmp_path / "small.yaml")).after, abs=header)
    assert len(manifest.data) == 2

    served, plain = (
        read_base(EngineSettings(model=str(folder), model_name="demo"), tmp_path / folder.name)
        for folder in (made, base)
    )
    assert (served.identity, served.modules) == (plain.identity, plain.modules)  # so adapters fit both
    mine, other = artefact.identify_base(made), artefact.identify_base(base)
    assert (mine.tokenizer, mine.chat_template) == (other.tokenizer, other.chat_template)
    assert mine.weights != other.weights
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    _vllm_takes(config)
    before, after = load_file(base / "model.safetensors"), dict(packed.weights(made))
    assert before.keys() == after.keys()
    for name, weight in after.items():
        exact = before[name].float()
        if "_proj" in name:  # no weight is further from its own than a step of the grid of 15
            step = exact.abs().amax() * 2 / 15
            assert 0 < (weight - exact).abs().max() < 2 * step
        else:
            assert torch.equal(weight, before[name])

    steps = metrics(tmp_path / "runs/small")
    assert [line["step"] for line in steps] == [0, 1, 2, 2]
    assert steps[0]["eval_perplexity"] == pytest.approx(found["perplexity_before"], abs=1e-5)
    assert (tmp_path / "runs/small/curves.png").stat().st_size > 1000
    assert not (tmp_path / "runs/small/quantized").exists()
    with pytest.raises(BaseError, match=r"is quantised already \(gptq\).*trained on that one"):
        bases.load_model(str(made))


def _vllm_takes(config: dict[str, Any]) -> None:
    from vllm.model_executor.layers.quantization.auto_gptq import AutoGPTQConfig

    settings = config["quantization_config"]
    assert AutoGPTQConfig.override_quantization_method(settings, None) == "auto_gptq"
    taken = AutoGPTQConfig.from_config(settings)
    assert (taken.weight_bits, taken.group_size, taken.desc_act, taken.is_sym) == (4, 32, False, True)


@pytest.mark.parametrize("bits", [4, 8])
def test_packed_weights_are_read_as_vllm_reads_them(bits: int) -> None:
    """By hand, with 4 bits: q = 11 in a group of scale 0.5 is 0.5 x (11 - 8) = 1.5."""
    rng = torch.Generator().manual_seed(0)
    numbers = torch.randint(0, 1 << bits, (64, 32), generator=rng)
    assert torch.equal(packed.unpack(pack(numbers, bits), bits).long(), numbers)
    scales = torch.rand(2, 32, generator=rng).to(torch.bfloat16)
    middle = 1 << (bits - 1)
    parts = {
        ".qweight": pack(numbers, bits),
        ".qzeros": pack(torch.full((32, 2), middle - 1), bits).T.contiguous(),
        ".scales": scales,
        ".g_idx": torch.arange(64, dtype=torch.int32) // 32,
    }
    weight = packed.dense("layer", parts, bits)
    assert weight.shape == (32, 64)
    for out, into in ((0, 0), (5, 31), (5, 32), (31, 63)):
        expected = float(scales[into // 32, out]) * (int(numbers[into, out]) - middle)
        assert float(weight[out, into]) == pytest.approx(expected)
    with pytest.raises(QuantizeError, match=rf"layer: has zero points other than {middle}"):
        packed.dense("layer", parts | {".qzeros": parts[".qzeros"] + 1}, bits)
    with pytest.raises(QuantizeError, match="not in the order of their groups"):
        packed.dense("layer", parts | {".g_idx": parts[".g_idx"].flip(0)}, bits)


def test_rows_are_those_of_training_and_perplexity_is_its_loss(tmp_path: Path, base: Path) -> None:
    plan = loaded(write(tmp_path, base))
    found = rows.prepared(plan, quiet)
    assert (len(found.train), len(found.validation)) == (24, 8)
    assert max(found.train.lengths) <= 64  # the text is longer, and cut
    assert [len(ids) for ids in rows.sequences(found.train)] == found.train.lengths.tolist()
    again = rows.prepared(loaded(write(tmp_path, base, max_tokens=20)), quiet)
    assert "longer than max_tokens (20)" in next(iter(again.dropped))
    with pytest.raises(NothingToLearn):
        rows.prepared(
            loaded(
                write(
                    tmp_path, base, sources=plan.model_dump(mode="json")["data"]["sources"][:1], max_tokens=16
                )
            ),
            quiet,
        )

    model: Any = bases.load_model(str(base))
    losses: list[float] = []
    answers: list[float] = []
    for ids, mask in zip(
        rows.sequences(found.validation),
        np.split(found.validation.loss_mask, np.cumsum(found.validation.lengths)[:-1]),
        strict=True,
    ):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        each = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
        losses += each.tolist()
        answers += each[torch.from_numpy(mask[1:])].tolist()
    measured = rows.perplexities(model, found.validation, 0)
    assert measured["perplexity"] == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-5)
    assert measured["answer_perplexity"] == pytest.approx(math.exp(sum(answers) / len(answers)), rel=1e-5)
    everything = TokenRows(
        found.validation.ids, np.ones_like(found.validation.loss_mask), found.validation.lengths
    )
    assert "answer_perplexity" not in rows.perplexities(model, everything, 0)


def test_recipes_that_can_not_be_quantised_are_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(DocumentError) as refused:
        recipes.load(write(tmp_path, base, bits=3, group_size=48, calibration_rows=0))
    assert {problem.field for problem in refused.value.problems} == {
        "bits",
        "group_size",
        "data.calibration_rows",
    }
    with pytest.raises(
        QuantizeError, match=r"group_size: 64 does not divide the 32 inputs of .*q_proj .*choose 32 or -1"
    ):
        layers.shape(loaded(write(tmp_path, base, group_size=64)))
    with pytest.raises(BaseError, match="can't be loaded"):
        layers.shape(loaded(write(tmp_path, Path("no/such/base"))))


def test_what_it_saves_is_known_before(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, base)
    monkeypatch.setattr(process, "PACKAGES", tmp_path / "none")
    with pytest.raises(QuantizeError, match="`make env-quantize` installs it"):
        check.check(path, [], quiet)
    (tmp_path / "none" / "gptqmodel").mkdir(parents=True)
    found = check.check(path, [], quiet)
    assert found.lines[0].startswith("served: a base of its own, by the settings' engine.model, in 16-bit")
    assert found.lines[2] == "20,480 of 30,592 weights are quantised: 61.2 kB become 34.1 kB"
    assert found.lines[1].startswith("24 rows to calibrate with (")
    assert preview.counted(path, quiet) == [found.lines[1]]
    assert "not on a CPU" in check.served(loaded(write(tmp_path, base, bits=8)))
    first = next(preview.preview(path, 1))
    assert 0 < first.trained < first.tokens  # the answer is told from the question


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A GPTQModel of ``code``, which runs as it is imported."""
    package = tmp_path / "packages" / "gptqmodel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(process, "PACKAGES", package.parent)


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (
            "raise ValueError('no such shape')",
            QuantizeError,
            r"status 1, saying last: ValueError: no such shape; .*log",
        ),
        ("raise RuntimeError('CUDA out of memory')", OutOfMemory, "lower data.batch_rows"),
        ("raise OSError(28, 'No space left on device')", DiskFull, "the disk is full"),
        ("import os; os.kill(os.getpid(), 9)", OutOfMemory, "it was killed"),
        (
            "import os; os.kill(os.getpid(), 11)",
            QuantizeError,
            "was ended by signal 11, saying last: nothing",
        ),
    ],
)
def test_what_goes_wrong_in_gptqmodel_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[Exception], text: str
) -> None:
    fake(tmp_path, monkeypatch, code)
    with pytest.raises(error, match=text):
        process.quantize({"rows": []}, tmp_path / "log", Bar(quiet))


def test_a_base_that_is_broken_is_not_quantised(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, TURNED)
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][:] = 3e38  # numbers, whose sums are none
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseError, match="its own perplexity is nan, so it is broken"):
        run.train(write(tmp_path, broken), runs=tmp_path / "runs", report=quiet)


def test_a_cost_over_the_bound_gives_no_artefact(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a quantiser that leaves all weights as they are, and turns the last norm around."""
    fake(tmp_path, monkeypatch, TURNED)
    told: list[str] = []
    with pytest.raises(QuantizeError, match=r"is over max_cost \(0.01%\); take a smaller group_size"):
        run.train(write(tmp_path, base, max_cost=1e-4), runs=tmp_path / "runs", report=told.append)
    assert not (tmp_path / "runs/small/artefact").exists()
    assert "1 modules saw too few rows, and were rounded to the nearest: give more rows" in told
    assert [line["gptq_error"] for line in metrics(tmp_path / "runs/small") if "gptq_error" in line] == [
        0.5,
        0.25,
    ]
