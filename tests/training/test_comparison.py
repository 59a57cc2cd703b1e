"""What a training that was done again is said to have in common with the first one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pointsman.artefact import CONFIG, WEIGHTS, Manifest, version_of
from training.release.comparison import Metric, compare


def artefact(folder: Path, values: list[float]) -> Path:
    folder.mkdir()
    save_file({"a": torch.tensor(values)}, folder / WEIGHTS)
    (folder / CONFIG).write_text("{}", "utf-8")
    return folder


def manifest(**changes: Any) -> Manifest:
    content: dict[str, Any] = {
        **{"alias": "support", "stage": "sft", "base_model": "base", "base": None, "recipe": {"name": "r"}},
        **{"data": {"rows": "a" * 64}, "seed": 1, "code": "c0ffee", "libraries": {"torch": "2.1"}},
        **{"metrics": {"eval_loss": 2.0, "seconds": 10.0}, "created": "2026-01-01T00:00:00Z"},
    }
    return Manifest.model_validate(content | changes)


def test_the_same_bytes_are_the_same_whatever_the_clock_says(tmp_path: Path) -> None:
    first, second = artefact(tmp_path / "1", [1.0, -4.0]), artefact(tmp_path / "2", [1.0, -4.0])
    other = manifest(metrics={"eval_loss": 2.0, "seconds": 99.0})
    found = compare(manifest(), version_of(first), other, second, first / WEIGHTS)
    assert (found.same_version, found.unlike, found.largest) == (True, (), 0.0)
    assert found.metrics == (Metric("eval_loss", 2.0, 2.0),)
    assert found.close(0.0)


def test_what_went_in_differently_and_how_far_it_led_is_told(tmp_path: Path) -> None:
    first, second = artefact(tmp_path / "1", [1.0, -4.0]), artefact(tmp_path / "2", [1.25, -4.0])
    other = manifest(
        data={"rows": "b" * 64},
        code="c0ffee+changes",
        libraries={"torch": "2.2"},
        parent="support@0",
        metrics={"eval_loss": 2.1},
    )
    found = compare(manifest(), version_of(first), other, second, first / WEIGHTS)
    assert found.unlike == (
        "the rows of rows were aaaaaaaaaaaa, now bbbbbbbbbbbb",
        "the code was c0ffee, now c0ffee+changes",
        "torch was 2.1, now 2.2",
        "it went on from nothing, now from support@0",
    )
    assert found.largest == pytest.approx(0.25 / 4)
    assert found.metrics[0].apart == pytest.approx(0.1 / 2.1)
    assert found.close(0.05)
    assert not found.close(0.04)


def test_a_metric_that_one_has_not_or_that_is_no_number_is_never_near() -> None:
    assert Metric("loss", None, 1.0).apart == math.inf
    assert Metric("loss", math.nan, 1.0).apart == math.inf
    assert Metric("loss", 0.0, 0.0).apart == 0.0


def test_without_the_first_weights_or_with_others_by_name_nothing_is_said_of_numbers(tmp_path: Path) -> None:
    first, second = artefact(tmp_path / "1", [1.0]), artefact(tmp_path / "2", [1.0, 2.0])
    assert compare(manifest(), version_of(first), manifest(), second, None).largest is None
    assert compare(manifest(), version_of(first), manifest(), second, first / WEIGHTS).largest is None
