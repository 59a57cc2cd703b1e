import copy
from typing import Any

import pytest

from pointsman.document import DocumentError
from prompts.errors import InvalidMessage, MissingVariables, PromptTooLong, RenderError, UnknownVariables
from prompts.template import PromptTemplate

HEAD = 'name: desk\nversion: "1"\ndescription: a desk\n'
DESK = (
    HEAD
    + """variables: {shop: {default: Northway}, who: {}, things: {description: a list}}
messages:
  - role: system
    content: |
      You are {{ who }} of {{ shop }}.
      {% for thing in things %}
      - {{ thing.name }}
      {% endfor %}
examples:
  - user: Where is {{ shop }}?
    assistant: '{"a": {"b": "这里"}}'
"""
)
GIVEN = {"who": "Ann", "things": [{"name": "a"}, {"name": "b"}]}
SYSTEM = {"role": "system", "content": "You are Ann of Northway.\n- a\n- b\n"}
EXAMPLES = [
    {"role": "user", "content": "Where is Northway?"},
    {"role": "assistant", "content": '{"a": {"b": "这里"}}'},
]
HELLO: dict[str, Any] = {"role": "user", "content": "hello"}


def one(content: str, variables: str = "{x: {}}") -> str:
    return f"{HEAD}variables: {variables}\nmessages:\n  - role: system\n    content: {content!r}\n"


def test_system_then_examples_then_the_conversation() -> None:
    assert PromptTemplate.read(DESK).render([HELLO], GIVEN) == [SYSTEM, *EXAMPLES, HELLO]


def test_the_clients_system_messages_come_after_ours_in_the_one_leading_message() -> None:
    conversation = [
        {"role": "system", "content": "Be brief."},
        HELLO,
        {
            "role": "developer",
            "content": [{"type": "text", "text": "In"}, {"type": "text", "text": "rhyme."}],
        },
        {"role": "system", "content": ""},
    ]
    rendered = PromptTemplate.read(DESK).render(conversation, GIVEN)
    merged = {"role": "system", "content": SYSTEM["content"] + "\n\nBe brief.\n\nIn\nrhyme."}
    assert rendered == [merged, *EXAMPLES, HELLO]


def test_without_a_system_message_of_ours_the_clients_leads() -> None:
    template = PromptTemplate.read(HEAD + "examples:\n  - {user: q, assistant: a}\n")
    example = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert template.render([HELLO]) == [*example, HELLO]
    late = {"role": "developer", "content": "Be brief."}
    assert template.render([HELLO, late]) == [{"role": "system", "content": "Be brief."}, *example, HELLO]


def test_rendering_changes_nothing_it_was_given() -> None:
    conversation = [{"role": "system", "content": "Be brief."}, HELLO]
    before = copy.deepcopy((conversation, GIVEN))
    template = PromptTemplate.read(DESK)
    first = template.render(conversation, GIVEN)
    first[-1]["content"] = "changed"
    assert (conversation, GIVEN) == before
    assert template.render(conversation, GIVEN)[-1] == HELLO


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(MissingVariables, match=r"desk@1 needs the variables who, things") as caught:
        PromptTemplate.read(DESK).render([HELLO], {"shop": "x"})
    assert caught.value.names == ("who", "things")


def test_undeclared_values_are_refused() -> None:
    with pytest.raises(UnknownVariables, match=r"does not declare .* whom, shoe; declared: shop"):
        PromptTemplate.read(DESK).render([HELLO], {**GIVEN, "whom": 1, "shoe": 2})


def test_a_missing_field_of_a_value_is_an_error() -> None:
    with pytest.raises(RenderError, match="no attribute 'name'"):
        PromptTemplate.read(DESK).render([HELLO], {"who": "Ann", "things": [{}]})


def test_a_default_of_null_is_a_default() -> None:
    template = PromptTemplate.read(one("{% if x %}yes{% else %}no{% endif %}", "{x: {default: null}}"))
    assert template.render([])[0]["content"] == "no"


@pytest.mark.parametrize("content", [7, [{"type": "image_url"}], ["text"], {"text": "x"}])
def test_a_system_message_that_is_not_text_is_refused(content: object) -> None:
    with pytest.raises(InvalidMessage, match="must be text"):
        PromptTemplate.read(DESK).render([{"role": "system", "content": content}], GIVEN)


def test_the_size_is_bounded_while_rendering() -> None:
    template = PromptTemplate.read(one("{% for a in x %}{% for b in x %}{{ b }}{% endfor %}{% endfor %}"))
    with pytest.raises(PromptTooLong, match="more than 1000 characters"):
        template.render([], {"x": ["a" * 100] * 50_000}, limit=1000)


def test_json_is_written_as_it_is_and_nothing_is_escaped() -> None:
    template = PromptTemplate.read(one("{{ x | tojson }} {{ x.b }}"))
    rendered = template.render([], {"x": {"b": "<'包'>"}})
    assert rendered[0]["content"] == """{"b": "<'包'>"} <'包'>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{{ x.__class__ }}", "'__class__' is private"),
        ("{{ x['__class__'] }}", "begins with _ is private"),
        ("{{ x | attr('__class__') }}", "no filter 'attr'"),
        ("{{ x.format(1) }}", "a call is not allowed"),
        ("{{ x }}{{ range(9) }}", "a call is not allowed"),
        ("{{ x * 9 }}", r"operator \* is not allowed"),
        ("{{ x % 9 }}", "operator % is not allowed"),
        ("{{ x ** 9 }}", r"operator \*\* is not allowed"),
        ("{{ x }}{% include 'y' %}", "an include is not allowed"),
        ("{% extends x %}", "an extends is not allowed"),
        ("{% macro m() %}{{ x }}{% endmacro %}", "a macro is not allowed"),
        ("{{ x is odder }}", "no test 'odder'"),
        ("{{ x", "unexpected end|end of print"),
    ],
)
def test_what_could_leave_the_sandbox_is_refused_when_read(content: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message) as caught:
        PromptTemplate.read(one(content))
    assert caught.value.problems[0].line in (4, 7)


def test_private_fields_stay_closed_to_names_made_at_run_time() -> None:
    template = PromptTemplate.read(one("{% set n = '__cla' ~ 'ss__' %}{{ x[n] }}"))
    with pytest.raises(RenderError, match=r"unsafe|no attribute"):
        template.render([], {"x": "text"})
    mapped = PromptTemplate.read(one("{{ [x] | map(attribute='__class__') | join }}"))
    with pytest.raises(RenderError, match=r"unsafe|no attribute"):
        mapped.render([], {"x": "text"})


def test_every_problem_of_a_text_is_told_with_its_line() -> None:
    text = (
        HEAD
        + """variables: {used: {}, idle: {default: 1}}
messages:
  - role: system
    content: |
      {{ used }}
      {{ one }}
  - role: user
    content: "{{ two }}"
  - role: system
    content: "late"
"""
    )
    with pytest.raises(DocumentError) as caught:
        PromptTemplate.read(text, "p.yaml")
    found = [(problem.line, problem.field) for problem in caught.value.problems]
    assert found == [
        (4, "variables.idle"),
        (9, "messages.0.content"),
        (11, "messages.1.content"),
        (12, "messages.2"),
    ]
    assert "p.yaml:9: messages.0.content: the variable 'one' is not declared" in str(caught.value)


def test_the_shape_is_strict() -> None:
    text = "name: Not Good\nversion: 1\nvariabels: {}\nmessages:\n  - {role: tool, content: x}\n"
    with pytest.raises(DocumentError) as caught:
        PromptTemplate.read(text)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"name", "version", "description", "variabels", "messages.0.role"}
    with pytest.raises(DocumentError, match="needs a message or an example"):
        PromptTemplate.read(HEAD)
