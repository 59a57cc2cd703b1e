"""vLLM's errors in its own words, and what a client hears of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from service.engine.refusal import refusal, told
from service.errors import ContextExceeded, EngineRefused

ORDER = "'text', 'json_object' or 'json_schema'"


def dump(*errors: dict[str, Any]) -> str:
    """How vLLM tells pydantic's errors."""
    lines = "".join(f"\n  {error}" for error in errors)
    return f"{len(errors)} validation error{'s' if len(errors) > 1 else ''}:{lines}"


def error(kind: str, field: str, value: str, **context: object) -> dict[str, Any]:
    more = {"ctx": context} if context else {}
    return {"type": kind, "loc": f"body.{field}", "msg": "Input should be valid", "input": value, **more}


WORDS = [
    (
        dump(error("float_parsing", "temperature", "warm")),
        "temperature must be a number, found 'warm'",
        "temperature",
    ),
    (dump(error("int_from_float", "n", "3.7")), "n must be a whole number, found 3.7", "n"),
    (
        dump(error("int_parsing_size", "seed", "1e+30")),
        "seed must be a whole number of 64 bits, found 1e+30",
        "seed",
    ),
    (dump(error("bool_type", "echo", "None")), "echo must be true or false, found null", "echo"),
    (
        dump(error("list_type", "stop_token_ids", "<dict of 2 items>")),
        "stop_token_ids must be a list, found an object",
        "stop_token_ids",
    ),
    (
        dump(error("string_type", "tools.0.function.name", "5")),
        "tools[0].function.name must be text, found 5",
        "tools[0].function.name",
    ),
    (
        dump(error("greater_than_equal", "stream_interval", "-5", ge=1)),
        "stream_interval must be at least 1, found -5",
        "stream_interval",
    ),
    (
        dump(error("missing", "response_format.json_schema.name", "<dict of 0 items>")),
        "response_format.json_schema.name is required",
        "response_format.json_schema.name",
    ),
    (  # one field, wrong in each of the forms that it may have
        dump(
            error("string_type", "structured_outputs.json", "5"),
            error("dict_type", "structured_outputs.json", "5"),
        ),
        "structured_outputs.json must be text or an object, found 5",
        "structured_outputs.json",
    ),
    (
        dump(
            error("literal_error", "response_format.type", "x", expected=ORDER),
            error("literal_error", "response_format.type", "x", expected="'structural_tag'"),
            error("missing", "response_format.structures", "<dict of 1 items>"),
        ),
        f"response_format.type must be {ORDER} or 'structural_tag', found 'x'",
        "response_format.type",
    ),
    (  # two fields
        dump(error("float_type", "top_p", "<list of 0 items>"), error("int_parsing", "seed", "x")),
        "top_p must be a number, found a list of 0; seed must be a whole number, found 'x'",
        "top_p",
    ),
    (
        dump(
            error("literal_error", "messages.0.ChatCompletionUserMessageParam.role", "x", expected="'user'")
        ),
        "messages[0] is not of OpenAI's form",
        "messages[0]",
    ),
    (
        "temperature must be in [0, 2], got 3.7. (parameter=temperature, value=3.7)",
        "temperature must be in [0, 2], got 3.7.",
        "temperature",
    ),
    ("min_p must be in [0, 1], got -5.0.", "min_p must be in [0, 1], got -5.0.", "min_p"),
    (
        "n must be 1 when using greedy sampling, got 2.",
        "n must be 1 when using greedy sampling, got 2. Set temperature above 0, or ask n times",
        "n",
    ),
    (
        "jinja2.environment.Template.render() got multiple values for keyword argument 'messages'",
        "chat_template_kwargs holds a name that the engine fills itself: only variables of the chat "
        "template's own are taken, such as enable_thinking",
        "chat_template_kwargs",
    ),
    (
        "continue_final_message and add_generation_prompt are not compatible. Use",
        "continue_final_message: true needs add_generation_prompt: false beside it",
        "continue_final_message",
    ),
    (
        "base is not a multimodal model",
        "messages is an image, sound or video, and this model reads text only",
        "messages",
    ),
    ("something new", "something new", None),
]


@pytest.mark.parametrize(("said", "words", "field"), WORDS, ids=range(len(WORDS)))
def test_a_refusal_names_field_value_and_what_is_taken(said: str, words: str, field: str | None) -> None:
    assert told(said) == (words, field)


@pytest.mark.parametrize(
    "said", ["base is not a multimodal model", "1 validation error for ValidatorIterator"]
)
def test_a_part_that_can_not_be_read_is_named_by_its_place(said: str) -> None:
    text, video = {"type": "text", "text": "x"}, {"type": "video_url"}
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    messages = [refused, {"role": "user", "content": [text, text, video, video]}]
    body = orjson.dumps({"error": {"message": said, "code": 400}})
    error = refusal(400, body, {"messages": messages})
    assert isinstance(error, EngineRefused)
    assert error.parameter == "messages[1].content[2]"
    assert str(error).startswith("messages[1].content[2] is a")
    assert error.messages == messages


@pytest.mark.parametrize(("field", "where"), [("messages", "messages"), ("prompt", "prompt")])
def test_a_prompt_beyond_the_context_is_named_as_openai_does(field: str, where: str) -> None:
    said = "This model's maximum context length is 2048 tokens. However, your prompt contains 9000 characters"
    body = orjson.dumps({"error": {"message": f"{said} (parameter=input_text, value=9000)", "code": 400}})
    error = refusal(400, body, {field: "x"})
    assert isinstance(error, ContextExceeded)
    assert (str(error), error.parameter, error.limit) == (said, where, 2048)


@pytest.mark.parametrize(
    ("request_", "form"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"structured_outputs": {"json": None, "regex": "("}, "tools": []}, "structured_outputs.regex"),
        ({"structured_outputs": {"grammar": "x"}}, "structured_outputs.grammar"),
        ({"tools": [{"function": {"name": "f"}}], "response_format": None}, "tools"),
    ],
)
def test_a_form_that_can_not_be_kept_is_named_as_the_request_has_it(
    request_: dict[str, Any], form: str
) -> None:
    for said in (
        "Grammar error: Invalid type: banana",
        "Failed to transform regex into a grammar: x",
        "Invalid grammar specification.",
        "The provided JSON schema contains features not supported by xgrammar.",
    ):
        assert told(said, None, request_) == (f"{form} can't be used: {said}", form)
        assert told(said, None, {"messages": []}) == (said, None)


def test_a_field_with_two_names_is_told_by_the_one_in_the_request() -> None:
    said = "Requested sample logprobs of 500, which is greater than max allowed: 20"
    vllm = f"{said} (parameter=logprobs, value=500)"
    assert told(vllm, None, {"logprobs": True, "top_logprobs": 500}) == (said, "top_logprobs")
    assert told(vllm, None, {"logprobs": 500}) == (said, "logprobs")


def test_the_field_that_vllm_names_is_kept() -> None:
    assert told("Either prompt or prompt_embeds must be given", "prompt")[1] == "prompt"


def test_a_dump_that_vllm_cut_is_told_as_far_as_it_goes() -> None:
    whole = dump(error("float_type", "top_p", "x"), error("int_type", "seed", "y"))
    assert told(whole[:-10])[0] == "top_p must be a number, found 'x'"
    assert told("1 validation error:\n  {'type': 'x', 'lo...[truncated]")[1] is None


def test_of_several_tools_the_one_with_a_broken_schema_is_named() -> None:
    good = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    broken = {"type": "function", "function": {"name": "g", "parameters": {"type": "wat"}}}
    said, field = told("Invalid grammar specification: 'triggers'", None, {"tools": [good, broken]})
    assert field == "tools[1].function.parameters"
    assert said.startswith("tools[1].function.parameters can't be used: no JSON schema: ")
    assert "'wat'" in said


def test_a_tool_without_any_value_is_told_in_our_words() -> None:
    for part, keyword in (
        ({"enum": []}, "enum"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum above maximum"),
        (False, "false"),
    ):
        parameters = {"type": "object", "properties": {"a": part}, "required": ["a"]}
        tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
        said, field = told("Invalid grammar specification: 'triggers'", None, {"tools": [tool]})
        assert field == "tools[0].function.parameters"
        assert f"{keyword} at #/properties/a lets no value pass" in said
        assert "triggers" not in said


def test_what_of_a_strict_tool_no_guide_holds_is_told_by_keyword_and_place() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"^\p{L}$"}}}
    functions = [{"name": name, "parameters": parameters, "strict": name == "g"} for name in "fg"]
    tools = [{"type": "function", "function": function} for function in functions]
    said, field = told("Invalid grammar specification: 'triggers'", None, {"tools": tools})
    assert field == "tools[1].function.parameters"
    assert "pattern at #/properties/a can't be held, and strict asks" in said


def test_a_500_on_a_tool_that_leads_to_itself_is_the_tools() -> None:
    parameters = {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}
    request_ = {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}
    body = orjson.dumps({"error": {"message": "", "code": 500}})
    found = refusal(500, body, request_, strict=True)
    assert isinstance(found, EngineRefused)
    assert (found.status, found.parameter) == (400, "tools[0].function.parameters")
    assert "leads only to itself" in str(found)
