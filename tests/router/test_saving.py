"""A router is saved and loaded, and refused where it is damaged or of other examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.errors import ArtefactMismatch, ArtefactUnreadable
from router.examples import RoutingExamples
from router.router import Router, fingerprint
from tests.router.conftest import FRUIT, METAL, NONE, WATER, WordEncoder, talk


def test_the_fingerprint_tells_encoders_and_examples_apart(small_examples: RoutingExamples) -> None:
    same = fingerprint(small_examples, WordEncoder())
    reordered = RoutingExamples({"metal": METAL, "fruit": FRUIT, "water": WATER}, NONE)
    other = RoutingExamples({"fruit": FRUIT, "metal": METAL, "water": WATER}, NONE[1:])
    assert same == fingerprint(small_examples, WordEncoder())
    assert len({same, *(fingerprint(e, WordEncoder()) for e in (reordered, other))}) == 3
    assert same != fingerprint(small_examples, WordEncoder("other"))


def test_saved_and_loaded_it_decides_the_same(small_router: Router, tmp_path: Path) -> None:
    small_router.save(tmp_path / "cache" / "router")
    loaded = Router.load(tmp_path / "cache" / "router", WordEncoder())
    assert loaded.fingerprint == small_router.fingerprint
    assert loaded.report == small_router.report
    for text in ("red apple", "iron bank", "loud music"):
        assert loaded.decide(talk(text)) == small_router.decide(talk(text))
    assert sorted(path.name for path in (tmp_path / "cache" / "router").iterdir()) == [
        "router.json",
        "router.safetensors",
    ]


def test_another_encoder_is_refused(small_router: Router, tmp_path: Path) -> None:
    small_router.save(tmp_path)
    with pytest.raises(ArtefactMismatch, match="encoder"):
        Router.load(tmp_path, WordEncoder("other"))


@pytest.mark.parametrize(
    "damage", ["missing", "cut", "other arrays", "not json", "other format", "no key", "raised"]
)
def test_a_damaged_artefact_is_refused(small_router: Router, tmp_path: Path, damage: str) -> None:
    small_router.save(tmp_path)
    arrays, manifest = tmp_path / "router.safetensors", tmp_path / "router.json"
    content = json.loads(manifest.read_text())
    match damage:
        case "missing":
            arrays.unlink()
        case "cut":
            arrays.write_bytes(arrays.read_bytes()[:-7])
        case "other arrays":
            arrays.write_bytes(arrays.read_bytes()[:-1] + b"\x7f")
        case "not json":
            manifest.write_text("{")
        case "other format":
            manifest.write_text(json.dumps(content | {"format": 0}))
        case "raised":
            manifest.write_text(json.dumps(content | {"threshold": 0.9}))
        case _:
            manifest.write_text(json.dumps({k: v for k, v in content.items() if k != "texts"}))
    with pytest.raises(ArtefactUnreadable, match=r"fit it again|expected|describes"):
        Router.load(tmp_path, WordEncoder())


def test_fit_or_load_fits_only_when_something_changed(
    small_examples: RoutingExamples, tmp_path: Path
) -> None:
    encoder = WordEncoder()
    first = Router.fit_or_load(small_examples, encoder, tmp_path)
    calls = len(encoder.calls)
    assert Router.fit_or_load(small_examples, encoder, tmp_path).fingerprint == first.fingerprint
    assert len(encoder.calls) == calls
    fewer = RoutingExamples({"fruit": FRUIT, "metal": METAL}, NONE)
    assert Router.fit_or_load(fewer, encoder, tmp_path).model.intents == ("fruit", "metal")
    assert Router.load(tmp_path, encoder).model.intents == ("fruit", "metal")
