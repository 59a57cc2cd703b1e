"""Values are written as OpenAPI has them: the table "Style Examples" of its specification, and its edges."""

from __future__ import annotations

from typing import Any

import pytest

from chains.errors import ArgumentsWrong
from chains.openapi_parameters import Parameter, parameter_of

TEXT, ARRAY, OBJECT = "blue", ["blue", "black", "brown"], {"R": 100, "G": 200, "B": 150}


def written(place: str, value: object, **said: Any) -> object:
    taken = parameter_of({"name": "color", "in": place, **said}, dict)
    assert taken is not None
    return "&".join(taken[0].query(value)) if place == "query" else taken[0].text(value)


@pytest.mark.parametrize(
    ("style", "explode", "value", "query"),
    [
        ("form", False, TEXT, "color=blue"),
        ("form", False, "", "color="),
        ("form", False, ARRAY, "color=blue,black,brown"),
        ("form", False, OBJECT, "color=R,100,G,200,B,150"),
        ("form", True, TEXT, "color=blue"),
        ("form", True, ARRAY, "color=blue&color=black&color=brown"),
        ("form", True, OBJECT, "R=100&G=200&B=150"),
        ("spaceDelimited", False, ARRAY, "color=blue%20black%20brown"),
        ("spaceDelimited", False, OBJECT, "color=R%20100%20G%20200%20B%20150"),
        ("pipeDelimited", False, ARRAY, "color=blue%7Cblack%7Cbrown"),
        ("pipeDelimited", False, OBJECT, "color=R%7C100%7CG%7C200%7CB%7C150"),
        ("deepObject", True, OBJECT, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    ],
)
def test_the_table_of_the_specification_in_a_query(
    style: str, explode: bool, value: object, query: str
) -> None:
    assert written("query", value, style=style, explode=explode) == query


@pytest.mark.parametrize(
    ("explode", "value", "text"),
    [
        (False, TEXT, "blue"),
        (False, ARRAY, "blue,black,brown"),
        (False, OBJECT, "R,100,G,200,B,150"),
        (True, ARRAY, "blue,black,brown"),
        (True, OBJECT, "R=100,G=200,B=150"),
    ],
)
@pytest.mark.parametrize("place", ["path", "header"])
def test_the_table_of_the_specification_in_a_path_and_a_header(
    place: str, explode: bool, value: object, text: str
) -> None:
    assert written(place, value, explode=explode) == text


def test_what_nothing_is_said_of_has_the_defaults() -> None:
    assert written("query", ARRAY) == "color=blue&color=black&color=brown"
    assert (
        written("query", OBJECT, style="deepObject") == "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"
    )
    assert written("query", ARRAY, style="pipeDelimited") == "color=blue%7Cblack%7Cbrown"
    assert written("path", OBJECT) == "R,100,G,200,B,150"


@pytest.mark.parametrize("said", [{"explode": False}, {"explode": True}, {"style": "deepObject"}])
def test_null_is_left_out_of_a_query(said: dict[str, Any]) -> None:
    assert written("query", None, **said) == ""
    assert written("query", {"a": None}, **said) == ""
    assert written("query", {"a": None, "b": True}, **said) in ("color=b,true", "b=true", "color%5Bb%5D=true")


def test_an_array_without_items_is_left_out() -> None:
    assert written("query", []) == written("query", [None], explode=False) == ""
    assert written("header", None) is written("path", []) is None


def test_marks_of_the_style_are_no_part_of_a_value() -> None:
    assert written("query", ["a,b", "c&d=e", "é"], explode=False) == "color=a%2Cb,c%26d%3De,%C3%A9"
    assert written("query", {"a]": "b&c"}, style="deepObject") == "color%5Ba%5D%5D=b%26c"
    assert written("path", ["a,b", "../c"]) == "a%2Cb,..%2Fc"
    assert written("query", "a/b:c&d#e", allowReserved=True) == "color=a/b:c%26d%23e"


def test_content_is_written_as_json() -> None:
    json = {"content": {"application/json": {"schema": {"type": "object"}}}}
    assert written("query", {"a": ["é"]}, **json) == "color=%7B%22a%22%3A%20%5B%22%5Cu00e9%22%5D%7D"
    assert written("header", {"a": ["é\n"]}, **json) == '{"a": ["\\u00e9\\n"]}'


@pytest.mark.parametrize("value", [[[1]], [{"a": 1}], {"a": [1]}, {"a": {"b": 1}}])
def test_what_is_nested_and_no_schema_told_of_is_told_to_the_model(value: object) -> None:
    with pytest.raises(ArgumentsWrong, match=r"color can't hold .*: no lists or objects inside of it"):
        written("query", value)


def test_a_deep_object_is_an_object() -> None:
    with pytest.raises(ArgumentsWrong, match="color must be an object"):
        written("query", "x", style="deepObject")


NESTED = {
    "type": "object",
    "properties": {"at": {"anyOf": [{"type": "string"}, {"type": ["array", "null"]}]}},
}


@pytest.mark.parametrize(
    ("place", "said", "problem"),
    [
        ("cookie", {"required": True}, "is in cookie; only path, query, header are sent"),
        ("path", {"style": "matrix"}, "has the style 'matrix'; in path is sent: simple"),
        ("path", {"style": "label"}, "has the style 'label'"),
        ("header", {"style": "form"}, "has the style 'form'; in header is sent: simple"),
        ("query", {"style": "simple"}, "in query is sent: form, spaceDelimited, pipeDelimited, deepObject"),
        ("query", {"style": "pipeDelimited", "explode": True}, "'pipeDelimited' with explode"),
        ("query", {"style": "deepObject", "schema": {"type": "array"}}, "deepObject and is no object"),
        ("query", {"schema": NESTED}, "holds lists or objects in another, which form can't write"),
        ("query", {"style": "deepObject", "schema": NESTED}, "which deepObject can't write"),
        ("query", {"schema": {"allOf": [{"type": "array", "items": NESTED}]}}, "lists or objects in another"),
        ("query", {"content": {"text/csv": {}}}, "is text/csv; only application/json is sent"),
    ],
)
def test_what_is_not_sent_as_the_file_says_is_refused_by_name(
    place: str, said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"the parameter 'color' .*{problem}"):
        parameter_of({"name": "color", "in": place, **said}, dict)


def test_an_optional_cookie_is_left_out() -> None:
    assert parameter_of({"name": "color", "in": "cookie"}, dict) is None
    assert parameter_of({"name": "color", "in": "query"}, dict) == (
        Parameter("color", "query", "form", explode=True),
        {},
    )
