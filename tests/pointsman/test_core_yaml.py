"""YAML is read as JSON's values."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.core_yaml import read_core, write_core


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("[on, off, yes, No, y]", ["on", "off", "yes", "No", "y"]),
        ("[true, False, TRUE]", [True, False, True]),
        ("[null, ~, Null, ]", [None, None, None]),
        ("a:", {"a": None}),
        ("[012, 0o14, 0xFf, -7, +7]", [12, 12, 255, -7, 7]),
        ("[1e3, .5, 1., -2.5E-1]", [1000.0, 0.5, 1.0, -0.25]),
        ("[1:30, 1_000, 0b11, 3.1.0]", ["1:30", "1_000", "0b11", "3.1.0"]),
        ("['on', \"12\", !!str 12]", ["on", "12", "12"]),
        ("{200: ok, on: {2024-01-01: x}, null: y}", {"200": "ok", "on": {"2024-01-01": "x"}, "null": "y"}),
        ("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b}\nd: *b",
         {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 3}, "d": {"x": 1, "y": 3}}),
        ("{a: <<, '<<': b}", {"a": "<<", "<<": "b"}),
        ('{"a": [1, 2.5, null, true, "\\u00e9"]}', {"a": [1, 2.5, None, True, "é"]}),
    ],
)  # fmt: skip
def test_what_is_read(text: str, value: object) -> None:
    found = read_core(text)
    assert found == value
    assert repr(found) == repr(value)  # 1 is True to ==


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (".inf", "no number of JSON"),
        ("-.INF", "no number of JSON"),
        (".nan", "no number of JSON"),
        ("1e999", "no number of JSON"),
        ("{a: 1, b: 2, a: 3}", "the key 'a' is given twice"),
        ("{[a]: 1}", "a key must be text"),
        ("!!timestamp 2024-01-01", "timestamp"),
        ("!!binary aGk=", "binary"),
        ("!!python/object:os.system {}", "python"),
    ],
)
def test_what_json_has_no_value_for_is_refused_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(yaml.YAMLError, match=problem) as caught:
        read_core(f"# first\n{text}")
    assert "line 2" in str(caught.value)


ODD = st.from_regex(r"[-+.0-9xoeE_:]{1,6}", fullmatch=True) | st.sampled_from(["on", "No", "~", "<<", "="])
TEXTS = st.text() | ODD
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@given(VALUES)
@example({"\x85": "a\u2028b"})
@settings(max_examples=300)
def test_what_is_written_is_read_as_the_same_by_both_versions(value: object) -> None:
    text = write_core(value)
    assert repr(read_core(text)) == repr(value)
    assert repr(yaml.safe_load(text)) == repr(value)
