import json
import re
from pathlib import Path
from typing import Any

import pytest
import xgrammar
from pydantic import BaseModel, Field

from chains.errors import ChainOptionsError, ParameterInvalid
from chains.events import ChainRequest, Note
from chains.registry import chain_with
from chains.schemas import copied
from chains.schemas.schema import AnswerSchema, ModelSchema, SchemaUnusable
from chains.testing import Said, ScriptedEngine, asked, content, events_of

COPIED = {"type": "string", "x-pointsman-copied": True}
ORDER = {
    "type": "object",
    "properties": {"city": COPIED, "product": COPIED | {"minLength": 3}},
    "required": ["city"],
}


def pieces(*sources: str) -> re.Pattern[str]:
    found = copied.guide(COPIED, sources)
    assert found is not None
    (definition,) = found["$defs"].values()
    return re.compile(definition["pattern"])


@pytest.mark.parametrize(
    ("source", "piece", "stands"),
    [
        ("3 blue mugs to Leeds", "blue mugs", True),
        ("3 blue mugs to Leeds", "mugs to Leeds", True),
        ("3 blue mugs to Leeds", "blue mug", False),
        ("3 blue mugs to Leeds", "lue mugs", False),
        ("3 blue mugs to Leeds", "red mugs", False),
        ("12mugs", "mugs", True),
        ("Miller's", "Miller", True),
        ("送到六安市", "六安", True),
        ("送到六安市", "三安", False),
        ("e\u0301te\u0301", "e", False),
        ("a (big) C++ book", "(big) C++", True),
        ("50% [off] a|b? $5.", "50% [off] a|b? $5.", True),
        ("mugs\nTom", "mugs\nTom", True),
        ("", "", False),
    ],
)
def test_a_piece_begins_and_ends_where_a_word_does(source: str, piece: str, stands: bool) -> None:
    assert copied.stands_in(piece, [source]) == stands
    if source and "\n" not in piece:
        assert (pieces(source).match(piece) is not None) == stands


def test_the_guide_has_each_piece_of_the_request_and_no_other() -> None:
    found = pieces("ab cd", "六安市")
    every = {"ab", "ab cd", "cd", "六", "六安", "六安市", "安", "安市", "市"}
    assert {text for text in every if found.match(text)} == every
    assert not any(
        found.match(text) for text in ("", "a", "b", "ab c", "ab ", " cd", "六市", "ab六", "ab\ncd")
    )


def test_what_is_named_like_the_keyword_and_what_is_no_schema_stay_as_they_are() -> None:
    """Names of properties are the client's, and so are values."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {copied.KEYWORD: COPIED, "colour": {"enum": [{copied.KEYWORD: True}]}},
        "$defs": {copied.KEYWORD: {"type": "integer"}},
        "required": [copied.KEYWORD],
    }
    answer = AnswerSchema(schema)
    guided = answer.guide(["mugs to Leeds"])
    assert guided is not None
    place = f"#/$defs/{copied.KEYWORD}_"
    assert guided["properties"] == schema["properties"] | {copied.KEYWORD: {"$ref": place}}
    assert guided["$defs"].keys() == {copied.KEYWORD, f"{copied.KEYWORD}_"}
    assert copied.plain(schema)["properties"][copied.KEYWORD] == {"type": "string"}
    assert answer.problem(json.dumps({copied.KEYWORD: "mugs"}), ["mugs to Leeds"]) is None
    assert answer.problem(json.dumps({copied.KEYWORD: "cups"}), ["mugs to Leeds"]) is not None
    assert not AnswerSchema({"properties": {copied.KEYWORD: {"type": "string"}}}).copies


def test_xgrammar_takes_the_guide_and_nothing_but_pieces() -> None:
    schema = copied.guide(ORDER, ['寄到六安，3个"大"杯子 (C++)'])
    grammar = xgrammar.Grammar.from_json_schema(json.dumps(schema))
    info = xgrammar.TokenizerInfo([bytes([i]) for i in range(256)], stop_token_ids=[0])
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(grammar)

    def takes(city: str, product: str) -> bool:
        text = json.dumps({"city": city, "product": product}, ensure_ascii=False)
        return xgrammar.GrammarMatcher(compiled).accept_string(text)

    assert takes("六安", "杯子 (C++)")
    assert takes("3", "寄到六安，3个")
    assert not takes("三安", "杯子")
    assert not takes("六安", "杯子 D")
    assert not takes("六安", '"大"杯子')  # XGrammar reads a pattern as the JSON is written


def test_any_piece_of_a_long_request_is_there_until_there_is_no_guide() -> None:
    words = [f"w{i}" for i in range(100)]
    found = pieces(" ".join(words))
    assert all(found.match(" ".join(words[at : at + 12])) for at in range(88))  # w and 7 are two
    assert not found.match("w1 w3")
    assert copied.guide(COPIED, [" ".join(words * 9)]) is None
    assert copied.guide(COPIED, ["a" * (copied.CHARACTERS + 1)]) is None
    assert copied.guide(COPIED, [" \n"]) is None


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"type": "string", "x-pointsman-copied": "yes"}, "must be true or false, found 'yes'"),
        ({"type": "integer", "x-pointsman-copied": True}, 'is for {"type": "string"}'),
        ({"type": ["string", "null"], "x-pointsman-copied": True}, "give null beside it by anyOf"),
        (COPIED | {"pattern": "^a", "enum": ["a"]}, "leaves no room for pattern, enum: leave one out"),
    ],
)
def test_a_misuse_is_told_with_its_place(tmp_path: Path, part: dict[str, Any], problem: str) -> None:
    schema = {"type": "object", "properties": {"town": part}}
    with pytest.raises(
        SchemaUnusable, match=r"\$\.properties\.town: x-pointsman-copied .*" + re.escape(problem)
    ):
        AnswerSchema(schema)
    (tmp_path / "town.json").write_text(json.dumps(schema))
    with pytest.raises(ChainOptionsError, match=re.escape(problem)):
        chain_with("structured", {"schema": "town.json"}, tmp_path)


def test_a_pydantic_field_says_it_too() -> None:
    class Town(BaseModel):
        city: str = Field(json_schema_extra={"x-pointsman-copied": True})

    schema = ModelSchema(Town)
    assert schema.problem('{"city": "Leeds"}', ["to Leeds"]) is None
    assert schema.problem('{"city": "Leed"}', ["to Leeds"]) == (
        "$.city: 'Leed' does not stand in the request word for word"
    )


def parameters(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


@pytest.mark.parametrize("stream", [True, False])
async def test_the_engine_gets_the_guide_and_a_wrong_copy_goes_back(stream: bool) -> None:
    chain = chain_with("structured", {}, Path())
    engine = ScriptedEngine([Said(['{"city": "This does"}']), Said(['{"city": "hello"}'])])
    events = await events_of(chain, asked(stream, parameters=parameters(ORDER)), engine)
    assert content(events) == '{"city": "hello"}'
    guides = [body["response_format"]["json_schema"]["schema"] for body in engine.bodies]
    assert guides == [copied.guide(ORDER, ["hello"])] * 2  # what the chain itself says is no source
    assert '"x-pointsman-copied": true' not in json.dumps(guides)


async def test_what_an_earlier_message_of_the_user_says_may_be_copied_too() -> None:
    """A correction names only what changes; what the assistant said is no source."""
    chain = chain_with("structured", {}, Path())
    said = ["3 blue mugs to Leeds", "not Leeds, York"]
    request = ChainRequest(
        messages=[
            {"role": "user", "content": said[0]},
            {"role": "assistant", "content": '{"city": "Rome", "product": "blue mugs"}'},
            {"role": "user", "content": said[1]},
        ],
        parameters=parameters(ORDER),
        stream=False,
    )
    right = '{"city": "York", "product": "blue mugs"}'
    engine = ScriptedEngine([Said(['{"city": "Rome", "product": "blue mugs"}']), Said([right])])
    events = await events_of(chain, request, engine)
    assert content(events) == right
    assert [event.about for event in events if isinstance(event, Note)] == ["repair"]
    guides = [body["response_format"]["json_schema"]["schema"] for body in engine.bodies]
    assert guides == [copied.guide(ORDER, said)] * 2


async def test_a_request_that_is_too_long_is_unguided_and_checked() -> None:
    chain = chain_with("structured", {}, Path())
    engine = ScriptedEngine([Said(['{"city": "Rome"}']), Said(['{"city": "long long"}'])])
    events = await events_of(chain, asked(False, "long " * 2_000, parameters=parameters(ORDER)), engine)
    notes = [(event.about, str(event.facts)) for event in events if isinstance(event, Note)]
    assert [about for about, _ in notes] == ["unguided", "repair"]
    assert "only checked" in notes[0][1]
    assert "'Rome' does not stand in the request word for word" in notes[1][1]
    assert content(events) == '{"city": "long long"}'
    sent = engine.bodies[0]["response_format"]["json_schema"]["schema"]
    assert sent == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "product": {"type": "string", "minLength": 3}},
        "required": ["city"],
    }


async def test_a_clients_misuse_is_refused_before_any_call() -> None:
    engine = ScriptedEngine([Said(["{}"])])
    request = asked(False, parameters=parameters({"type": "object", "x-pointsman-copied": True}))
    with pytest.raises(ParameterInvalid, match=r"response_format.*\$: x-pointsman-copied is for"):
        await events_of(chain_with("structured", {}, Path()), request, engine)
    assert engine.bodies == []
