"""A document is read whole or refused with everything that is wrong in it."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, field_validator

from pointsman.document import Document, DocumentError, lines_of, load, parse, plain


class Engine(Document):
    model: str
    max_loras: int = Field(default=8, ge=1)
    kind: Literal["cpu", "cuda"] = "cpu"
    arguments: tuple[str, ...] = ()


class Config(Document):
    engine: Engine
    adapters: dict[str, Engine] = Field(default_factory=dict)
    timeout: float = 1.0

    @field_validator("timeout")
    @classmethod
    def _positive(cls, seconds: float) -> float:
        if seconds <= 0:
            raise ValueError("a timeout is more than 0 seconds")
        return seconds


def problems_of(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(DocumentError) as caught:
        parse(Config, text, "config.yaml")
    return [(problem.line, problem.field, problem.message) for problem in caught.value.problems]


def test_a_good_file_becomes_a_frozen_object(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("engine:\n  model: base\n  arguments: [--seed, '1']\ntimeout: 2\n", encoding="utf-8")
    config = load(Config, path)
    assert config == Config(engine=Engine(model="base", arguments=("--seed", "1")), timeout=2.0)
    with pytest.raises(ValidationError, match="frozen"):
        config.timeout = 3.0  # type: ignore[misc]


def test_all_problems_come_in_one_report_in_the_order_of_the_file() -> None:
    text = """\
timeout: -1
engine:
  modle: base
  max_loras: 0
  kind: tpu
  arguments: --seed
adapters:
  support: {model: 7}
extra: 1
"""
    assert problems_of(text) == [
        (1, "timeout", "a timeout is more than 0 seconds, found -1"),
        (2, "engine.model", "is required"),
        (3, "engine.modle", "unknown key; did you mean 'model'?"),
        (4, "engine.max_loras", "must be greater than or equal to 1, found 0"),
        (5, "engine.kind", "must be 'cpu' or 'cuda', found 'tpu'"),
        (6, "engine.arguments", "must be a list, found '--seed'"),
        (8, "adapters.support.model", "must be text, found 7"),
        (9, "extra", "unknown key; known keys: engine, adapters, timeout"),
    ]


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefg")
)


def test_the_message_names_the_file_and_the_line() -> None:
    with pytest.raises(DocumentError) as caught:
        parse(Config, "engine: {model: base}\ntimeuot: 3\n", "settings/config.yaml")
    assert str(caught.value) == (
        "settings/config.yaml: 1 problem\n"
        "  settings/config.yaml:2: timeuot: unknown key; did you mean 'timeout'?"
    )


def test_a_key_given_twice_is_reported_beside_other_problems() -> None:
    text = "engine:\n  model: a\n  model: b\ntimeout: soon\n"
    assert problems_of(text) == [
        (3, "engine.model", "the key is given twice"),
        (4, "timeout", "must be a number, found 'soon'"),
    ]


def test_a_problem_in_a_list_names_its_place() -> None:
    text = "engine:\n  model: base\n  arguments:\n    - ok\n    - {not: text}\n"
    assert problems_of(text) == [(5, "engine.arguments.1", "must be text")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("engine: [1, 2\ntimeout: 1", 2, "not YAML: expected ',' or ']', but got ':'"),
        ("engine:\n\tmodel: base", 2, "not YAML: found character '\\t' that cannot start any token"),
        ("engine: {model: !!python/name:os.system x}", 1, "not YAML: could not determine a constructor"),
        ("engine: {model: *base}", 1, "not YAML: found undefined alias 'base'"),
        ("a: 1\n---\nb: 2", 2, "not YAML: but found another document"),
        ("engine: {model: \x00}", None, "not YAML: unacceptable character"),
        ("engine: {model: !!timestamp 2026-01-07}", 1, "not YAML: could not determine a constructor"),
        ("engine: {model: !!int many}", 1, "not YAML: invalid literal for int"),
        ("engine: {model: !!bool many}", 1, "not YAML: 'many'"),
        ("engine: &loop {model: *loop}", None, "not YAML: nested too deep"),
        ("[" * 5_000 + "]" * 5_000, None, "not YAML: nested too deep"),
        (BOMB, None, "its aliases stand for 6,053,451 values, 1,000,000 at most are read"),
        ("? {model: base}\n: 1", 1, "a key must be text, found {'model': 'base'}"),
        ("", None, "is required"),
        ("just words", 1, "must be a mapping, keys with values, found 'just words'"),
    ],
)
def test_what_is_no_yaml_or_no_mapping_is_one_clear_problem(
    text: str, line: int | None, message: str
) -> None:
    found = problems_of(text)[0]
    assert (found[0], found[2][: len(message)]) == (line, message)


def test_a_merge_key_is_refused_with_what_to_write_and_is_a_text_elsewhere() -> None:
    told = "<< merges mappings by YAML 1.1, and YAML 1.2 has no such key; write out the keys"
    text = "engine: {model: base, arguments: [<<]}\nadapters:\n  one: &one {model: a}\n  two:\n    model: b\n"
    assert parse(Config, text).engine.arguments == ("<<",)
    ((line, field, message),) = problems_of(f"{text}    <<: *one\n")
    assert (line, field, message[: len(told)]) == (6, "adapters.two", told)


def test_a_missing_file_a_folder_and_bytes_that_are_no_utf8_are_problems_too(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("engine: café".encode("latin-1"))
    for path, message in (
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "can't be read: Is a directory"),
        (latin, "not UTF-8: unexpected end of data at byte 11"),
    ):
        with pytest.raises(DocumentError) as caught:
            load(Config, path)
        assert [problem.message for problem in caught.value.problems] == [message]
        assert str(caught.value).startswith(str(path))


def test_plain_reads_without_a_model() -> None:
    assert plain("a: [1, x]\nb:") == {"a": [1, "x"], "b": None}
    assert plain("") is None
    assert plain("2026-13-77") == "2026-13-77"
    with pytest.raises(DocumentError, match=r"recipe.yaml:1: not YAML: invalid literal for int"):
        plain("!!int many", "recipe.yaml")


class Switches(Document):
    on: bool = False
    name: str = ""
    level: Literal["off", "low"] = "low"
    rate: float = 0.0
    count: int = 0
    more: dict[str, Any] = Field(default_factory=dict)
    other: tuple[Engine, ...] = ()
    value: Any = Field(default=None, alias="json")


def test_words_and_dates_are_texts_where_texts_are_wanted() -> None:
    """By the core schema of YAML 1.2."""
    assert parse(Switches, "{on: true, name: no, level: off}") == Switches(on=True, name="no", level="off")
    assert parse(Switches, "name: 2026-13-77").name == "2026-13-77"
    assert parse(Switches, "{rate: 1e-4, count: 0o17}") == Switches(rate=1e-4, count=15)
    assert plain("{no: yes, 1: 2026-01-07}") == {"no": "yes", 1: "2026-01-07"}


@pytest.mark.parametrize("word", ["on", "Yes", "TRUE", "off", "NO", "False"])
def test_a_switch_takes_the_words_of_yaml_1_1_as_before(word: str) -> None:
    assert parse(Switches, f"on: {word}").on == yaml.safe_load(word)
    assert parse(Switches, "count: 1_000").count == 1000


def told(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(DocumentError) as caught:
        parse(Switches, text)
    return [(problem.line, problem.field, problem.message) for problem in caught.value.problems]


def test_where_any_value_is_right_one_that_has_changed_is_refused() -> None:
    assert told("name: yes\nmore:\n  polite: No\n  parts: [1, 1:30, 2026-01-07]\njson: on\n") == [
        (3, "more.polite", "No is false by YAML 1.1 and a text by 1.2; write false, or 'No' in quotes"),
        (4, "more.parts.1", "1:30 is 90 by YAML 1.1 and a text by 1.2; write 90, or '1:30' in quotes"),
        (5, "json", "on is true by YAML 1.1 and a text by 1.2; write true, or 'on' in quotes"),
    ]
    whole = parse(Switches, "{more: {polite: 'No', a: \"on\", b: 010.5, c: 12}, other: [{model: yes}]}")
    assert whole.more == {"polite": "No", "a": "on", "b": 10.5, "c": 12}
    assert whole.other[0].model == "yes"


def test_a_number_that_has_changed_is_refused_everywhere() -> None:
    assert told("count: 012\nrate: soon") == [
        (1, "count", "is 10 by YAML 1.1 and 12 by 1.2; write the number you mean"),
        (2, "rate", "must be a number, found 'soon'"),
    ]
    assert parse(Switches, "{count: 08, rate: 0.5}").count == 8


def test_a_number_that_is_none_is_told_with_its_field() -> None:
    for word in (".inf", ".nan", "1e999"):
        assert told(f"name: a\nrate: {word}")[0][:2] == (2, "rate")


def test_lines_of_names_every_place() -> None:
    text = "engine:\n  arguments:\n    - a\n    - b\n"
    assert lines_of(text) == {
        (): 1,
        ("engine",): 1,
        ("engine", "arguments"): 2,
        ("engine", "arguments", 0): 3,
        ("engine", "arguments", 1): 4,
    }


@given(st.text(alphabet=st.sampled_from(list("engi model:{}[]&*!-?|>'\"#%\n\t 0x.é\U0001f600~<,"))))
def test_no_text_escapes_as_another_error(text: str) -> None:
    with contextlib.suppress(DocumentError):
        parse(Config, text)
