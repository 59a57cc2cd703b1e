"""The artefact: a name is its content, and a broken folder says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from unittest import mock

import pytest

from pointsman import artefact
from pointsman.artefact import ALIAS, ArtefactError, BaseIdentity, Manifest

WEIGHTS_BYTES, CONFIG_BYTES = b"weights" * 300_000, b'{"r": 8}'  # over one block of reading
MANIFEST = Manifest(
    alias="support",
    stage="sft",
    base_model="deploy/demo/base",
    base=BaseIdentity(weights="a" * 64, tokenizer="b" * 64, chat_template="c" * 64),
    recipe={"stage": "sft", "seed": 7, "data": [{"source": "generated"}]},
    data={"generated": "d" * 64},
    seed=7,
    code="0" * 40,
    libraries={"torch": "2.13.0"},
    metrics={"loss": 0.25},
    created="2026-11-23T22:00:00Z",
)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    (tmp_path / artefact.WEIGHTS).write_bytes(WEIGHTS_BYTES)
    (tmp_path / artefact.CONFIG).write_bytes(CONFIG_BYTES)
    return tmp_path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, content in {
        "model.safetensors": b"weights",
        "config.json": b'{"hidden_size": 8}',
        "tokenizer.json": b'{"model": "bpe"}',
        "chat_template.jinja": b"{{ messages }}",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_the_version_is_the_hash_of_names_sizes_and_bytes(adapter: Path) -> None:
    """Spelled out once, by hand: a change of this rule would rename every version there is."""
    whole = (
        b"adapter_model.safetensors\0" + str(len(WEIGHTS_BYTES)).encode() + b"\0" + WEIGHTS_BYTES
        + b"adapter_config.json\0" + str(len(CONFIG_BYTES)).encode() + b"\0" + CONFIG_BYTES
    )  # fmt: skip
    assert artefact.version_of(adapter) == hashlib.sha256(whole).hexdigest()[:12]


def test_only_weights_and_config_make_the_version(adapter: Path) -> None:
    before = artefact.version_of(adapter)
    artefact.write_manifest(adapter, MANIFEST)
    assert artefact.version_of(adapter) == before
    (adapter / artefact.CONFIG).write_bytes(b'{"r": 9}')
    assert artefact.version_of(adapter) != before


@pytest.mark.parametrize("name", [artefact.WEIGHTS, artefact.CONFIG])
def test_a_folder_without_weights_or_config_has_no_version(adapter: Path, name: str) -> None:
    (adapter / name).unlink()
    with pytest.raises(ArtefactError, match=f"{name}: no such file; an adapter artefact needs"):
        artefact.version_of(adapter)


def test_a_base_is_known_by_weights_tokenizer_and_template(base: Path) -> None:
    identity = artefact.identify_base(base)
    assert identity.tokenizer == hashlib.sha256(b'{"model": "bpe"}').hexdigest()
    assert identity.chat_template == hashlib.sha256(b"{{ messages }}").hexdigest()
    for name, field in (
        ("model.safetensors", "weights"),
        ("config.json", "weights"),
        ("tokenizer.json", "tokenizer"),
        ("chat_template.jinja", "chat_template"),
    ):
        kept = (base / name).read_bytes()
        (base / name).write_bytes(kept + b" ")
        other = artefact.identify_base(base).model_dump()
        (base / name).write_bytes(kept)
        assert [key for key, value in identity.model_dump().items() if other[key] != value] == [field]


def test_weights_moved_between_files_are_another_base(base: Path) -> None:
    """Split as "wei" + "ghts" the bytes in a row are the same; the names between them are not."""
    whole = artefact.identify_base(base).weights
    (base / "model.safetensors").write_bytes(b"wei")
    (base / "model-2.safetensors").write_bytes(b"ghts")
    assert artefact.identify_base(base).weights != whole


def test_the_template_may_stand_in_the_tokenizers_config(base: Path) -> None:
    alone = artefact.identify_base(base)
    (base / "chat_template.jinja").unlink()
    (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    assert artefact.identify_base(base) == alone


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.safetensors", "holds no safetensors file, so it is no base model"),
        ("config.json", "config.json: can't be read: No such file"),
        ("tokenizer.json", "tokenizer.json: can't be read: No such file"),
        ("chat_template.jinja", "no readable chat_template.jinja and no readable tokenizer_config.json"),
    ],
)
def test_a_broken_base_says_what_is_missing(base: Path, missing: str, message: str) -> None:
    (base / missing).unlink()
    with pytest.raises(ArtefactError, match=message):
        artefact.identify_base(base)


@pytest.mark.parametrize("config", ["[]", "{}", '{"chat_template": ["a", "b"]}', "no json", "\xff"])
def test_a_tokenizer_config_without_a_template_is_refused(base: Path, config: str) -> None:
    (base / "chat_template.jinja").unlink()
    (base / "tokenizer_config.json").write_bytes(config.encode("latin-1"))
    with pytest.raises(ArtefactError, match=r"chat.template"):
        artefact.chat_template_of(base)


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    artefact.write_manifest(tmp_path, MANIFEST)
    assert artefact.read_manifest(tmp_path) == MANIFEST
    assert [path.name for path in tmp_path.iterdir()] == [artefact.MANIFEST]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; `pointsman train` writes it"),
        (b"{", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b'{"alias": "a"}', "stage: Field required"),
        (MANIFEST.model_dump_json().replace('"seed":7,"code"', '"seed":"x","code"').encode(), "seed: Input"),
    ],
)
def test_a_manifest_that_cannot_be_used_names_file_and_field(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / artefact.MANIFEST).write_bytes(content)
    with pytest.raises(ArtefactError, match=message) as caught:
        artefact.read_manifest(tmp_path)
    assert str(tmp_path / artefact.MANIFEST) in str(caught.value)


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    artefact.write_atomically(path, b"old")
    with (
        mock.patch("os.replace", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        artefact.write_atomically(path, b"new")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"file": b"old"}
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("alias", ["support", "a", "7b", "two-words_3", "x" * 63])
def test_names_that_are_aliases(alias: str) -> None:
    assert ALIAS.fullmatch(alias)


@pytest.mark.parametrize(
    "alias", ["", "-a", "_a", "Support", "a/b", "../a", "a@b", "a b", "a\n", "x" * 64, "é"]
)
def test_names_that_are_none(alias: str) -> None:
    assert not ALIAS.fullmatch(alias)
