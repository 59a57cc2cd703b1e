"""Rows come in several forms; a bad one is named with its place, its field and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.training.conftest import Recipe
from tests.training.rows import CONVERSATIONS, TOOL, said, write_rows
from training import run
from training.data import formats, preferences, sources
from training.data.fields import FieldError
from training.data.formats import Row
from training.errors import BadRows, SourceError
from training.recipe import FileSource, GeneratorSource

Stage = Literal["cpt", "sft"]


def read(path: Path, form: str, stage: Stage = "sft") -> list[Row]:
    source = FileSource.model_validate({"path": path, "format": form})
    return sources.read(sources.parts(source, 0)[0], stage)


def generated(rows: int, seed: int, word: str = "red") -> Iterator[dict[str, Any]]:
    """A generator as recipes name them."""
    for i in range(rows):
        yield said(word, f"{seed} {i}")


def careless(rows: int, seed: int) -> Iterator[object]:
    """A generator whose second row is wrong."""
    yield said("red", "blue")
    yield {"messages": [{"role": "usr", "content": "x"}]}


def test_questions_and_instances_are_alpaca_too(tmp_path: Path) -> None:
    """As GSM8K and Self-Instruct write them; the latter's files hold one instance a row."""
    instance = {"input": "red", "output": "blue"}
    rows = [{"question": "red?", "answer": "blue"}, {"instruction": "what of", "instances": [instance]}]
    asked, seeded = read(write_rows(tmp_path / "rows.jsonl", rows), "alpaca")
    assert [turn["content"] for turn in asked.messages] == ["red?", "blue"]
    assert [turn["content"] for turn in seeded.messages] == ["what of\nred", "blue"]
    for instances, problem in (
        ([instance] * 2, "instances: holds 2; write a row for each"),
        (["x"], "instances.0: must be an object, found 'x'"),
        ([{"input": ""}], "instances.0.output: must be a text; the row has input"),
    ):
        path = write_rows(tmp_path / "bad.jsonl", [{"instruction": "x", "instances": instances}])
        with pytest.raises(BadRows, match=problem):
            read(path, "alpaca")


def test_a_json_file_may_have_a_row_a_line(tmp_path: Path) -> None:
    """As BELLE's have; a list that was cut off is still told to be none."""
    path = tmp_path / "rows.json"
    path.write_text("\n".join(json.dumps(said("red?", word)) for word in ("blue", "green")), encoding="utf-8")
    assert [row.messages[1]["content"] for row in read(path, "messages")] == ["blue", "green"]
    path.write_text(path.read_text(encoding="utf-8") + "\n{", encoding="utf-8")
    with pytest.raises(BadRows, match=r"rows\.json:3: is not JSON"):
        read(path, "messages")
    path.write_text('[{"text": "red"},\n{"te', encoding="utf-8")
    with pytest.raises(SourceError, match="not JSON"):
        read(path, "text")


def test_all_bad_rows_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = json.dumps(said("red?", "blue"))
    bad = [
        '{"messages": [',
        '{"messages": [{"role": "usr", "content": "x"}]}',
        '{"message": []}',
        '{"messages": [{"role": "user", "content": 7}]}',
        '{"messages": []}',
        '["red"]',
    ]
    path.write_text("\n".join([good, *bad, "", good]), encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        read(path, "messages")
    text = str(caught.value)
    assert text.startswith("6 bad rows\n")
    assert f"{path}:2: is not JSON" in text
    assert f"{path}:3: messages.0.role: must be one of system, developer, user, assistant, tool" in text
    assert "found 'usr'" in text
    assert f"{path}:4: messages: must be a list; the row has message" in text
    assert f"{path}:5: messages.0.content: must be a text, found 7" in text
    assert f"{path}:6: messages: is empty; give at least one message" in text
    assert f"{path}:7: must be an object, found ['red']" in text


def test_a_row_with_images_is_not_learned_without_them(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "<image>who?"}, {"role": "assistant", "content": "Ann"}]
    rows = [{"messages": turns, "images": []}, {"messages": turns, "images": ["ann.jpg"]}]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(BadRows, match=rf"^1 bad row\n  {path}:2: images: belongs to the row"):
        read(path, "messages")


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": i} for i in range(25)])
    with pytest.raises(BadRows, match=r"^25 bad rows\n(.*\n){10}  \.\.\. and 15 more$"):
        read(path, "text", "cpt")


def test_bad_rows_of_all_sources_come_in_one_report(recipe: Recipe, tmp_path: Path) -> None:
    first = write_rows(tmp_path / "first.jsonl", [*CONVERSATIONS, {"messages": []}])
    second = write_rows(tmp_path / "second.jsonl", [{"instruction": "red?"}])
    path = recipe(
        **{
            "data.sources": [
                {"path": str(first), "format": "messages"},
                {"path": str(second), "format": "alpaca"},
                {"generator": f"{__name__}:careless", "rows": 2},
            ]
        }
    )
    with pytest.raises(BadRows) as caught:
        run.train(path, runs=tmp_path / "runs", report=lambda _: None)
    assert [row.where for row in caught.value.rows] == [
        f"{first}:{len(CONVERSATIONS) + 1}",
        f"{second}:1",
        f"{__name__}:careless() row 2",
    ]


def test_a_text_has_no_turns_for_sft(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": "red"}])
    assert read(path, "messages", "cpt") == [Row(text="red")]
    with pytest.raises(BadRows, match=r"rows\.jsonl:1: text: .*give messages, or use stage: cpt"):
        read(path, "messages", "sft")


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("messages.0", {"messages": ["red"]}),
        ("messages.0.content", {"messages": [{"role": "assistant", "content": None}]}),
        ("messages.0.content.1", {"messages": [{"role": "user", "content": ["a", {"type": "image_url"}]}]}),
        ("messages.0.tool_calls", {"messages": [{"role": "assistant", "tool_calls": {"name": "x"}}]}),
        ("messages.0.tool_calls.0.function.name", {"messages": [{"role": "assistant", "tool_calls": [{}]}]}),
        (
            "messages.0.tool_calls.0.function.arguments",
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": "{"}}]}
                ]
            },
        ),
        ("messages.0.weight", {"messages": [{"role": "assistant", "content": "x", "weight": "0"}]}),
        ("messages.0.weight", {"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}),
        ("tools", {"messages": [{"role": "user", "content": "x"}], "tools": "track"}),
        ("tools.0", {"messages": [{"role": "user", "content": "x"}], "tools": ["track"]}),
        ("tools.1", {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL, {"type": "function"}]}),
        (
            "tools.0.parameters",
            {
                "messages": [{"role": "user", "content": "x"}],
                "tools": [{"name": "track", "parameters": []}],
            },
        ),
    ],
)
def test_the_field_of_a_bad_conversation_is_named(field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        formats.messages(row)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("output", {"instruction": "red?"}),
        ("instruction", {"instruction": None, "output": "blue"}),
        ("input", {"instruction": "red?", "input": 7, "output": "blue"}),
        ("system", {"instruction": "red?", "output": "blue", "system": 7}),
        ("history", {"instruction": "red?", "output": "blue", "history": 7}),
        ("history.0", {"instruction": "red?", "output": "blue", "history": [["one"]]}),
    ],
)
def test_the_field_of_a_bad_alpaca_row_is_named(field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        formats.alpaca(row)
    assert caught.value.field == field


def test_alpaca_is_a_conversation() -> None:
    row = formats.alpaca(
        {"system": "Help.", "history": [["a", "b"]], "instruction": "Add.", "input": "1 2", "output": "3"}
    )
    assert [(message["role"], message["content"]) for message in row.messages] == [
        ("system", "Help."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "Add.\n1 2"),
        ("assistant", "3"),
    ]


def test_a_conversation_in_an_instruction_is_read_as_turns() -> None:
    """As in BELLE's files of many turns; Alpaca-CoT's have the single question in the same form."""
    instruction = (
        "Human:你好\nAssistant: 你好！\n\nHuman: List them:\nHuman: one\nAssistant:\nHuman:And?\nAssistant:"
    )
    row = formats.alpaca({"instruction": instruction, "input": "", "output": "Two."})
    assert [(message["role"], message["content"]) for message in row.messages] == [
        ("user", "你好"),
        ("assistant", "你好！"),
        ("user", "List them:\nHuman: one"),
        ("assistant", ""),
        ("user", "And?"),
        ("assistant", "Two."),
    ]
    for one in ("Human: red?\nAssistant:", "Human: red?\n\nAssistant: "):
        asked = formats.alpaca({"instruction": one, "output": "blue", "system": "Help."}).messages
        assert [message["content"] for message in asked] == ["Help.", "red?", "blue"]
    ranked = preferences.alpaca({"instruction": instruction, "chosen": "a", "rejected": "b"})
    assert [turn["role"] for turn in ranked.prompt] == ["user", "assistant"] * 2 + ["user"]


@pytest.mark.parametrize(
    "instruction",
    [
        "Who is Human: or Assistant:",
        "Human: red?\nAssistant: blue",
        "Say it.\nHuman: red?\nAssistant:",
        "Human:",
    ],
)
def test_an_instruction_that_only_speaks_of_turns_is_one(instruction: str) -> None:
    row = formats.alpaca({"instruction": instruction, "output": "blue"})
    assert [message["content"] for message in row.messages] == [instruction, "blue"]


def test_a_conversation_in_an_instruction_that_has_no_last_question_is_told() -> None:
    with pytest.raises(FieldError, match="in front of that last line the assistant speaks already"):
        formats.alpaca({"instruction": "Human: a\nAssistant: b\nAssistant:", "output": "c"})


def test_calls_may_stand_behind_a_thought_and_under_openais_roles() -> None:
    """LLaMA-Factory's turns of function_call, in sharegpt's form and among OpenAI's messages."""
    call = '{"name": "track", "arguments": {"id": "PX1"}}'
    value = f"<think>\nWhich one? {{}}\n</think>\n\n[{call}, {call}]"
    turns = [{"from": "human", "value": "a"}, {"from": "function_call", "value": value}]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "function_call", "content": value, "weight": 0},
        {"role": "observation", "content": "Brno"},
    ]
    by_sharegpt = formats.sharegpt({"conversations": turns}).messages[1]
    _, by_openai, observed = formats.messages({"messages": messages}).messages
    assert by_openai == by_sharegpt | {"weight": 0}
    assert by_sharegpt["content"] == "<think>\nWhich one? {}\n</think>\n\n"
    functions = [one["function"] for one in by_sharegpt["tool_calls"]]
    assert functions == [{"name": "track", "arguments": {"id": "PX1"}}] * 2
    assert (observed["role"], observed["content"]) == ("tool", "Brno")
    with pytest.raises(FieldError, match="is not JSON") as caught:
        formats.messages({"messages": [{"role": "function_call", "content": "<think>a</think> track"}]})
    assert caught.value.field == "messages.0.content"


def test_what_alpaca_rows_may_lack_and_have() -> None:
    """LLaMA-Factory's rows may have tools, also as JSON text, and some sets leave the instruction empty."""
    row = formats.alpaca(
        {"instruction": "", "input": "Where?", "output": "Brno", "tools": json.dumps([TOOL]), "history": None}
    )
    assert [message["content"] for message in row.messages] == ["Where?", "Brno"]
    assert row.tools == (TOOL,)
    assert formats.messages(said("a", "b") | {"tools": json.dumps([TOOL])}).tools == (TOOL,)


def test_columns_say_what_a_file_calls_the_fields(tmp_path: Path) -> None:
    rows = [{"kind": "sums", "input": "1 + 1?", "target": "2"}]  # with `input` alpaca's, it were said twice
    source = {
        "path": write_rows(tmp_path / "rows.jsonl", rows),
        "format": "alpaca",
        "columns": {"instruction": "input", "output": "target"},
    }
    (row,) = sources.read(sources.parts(FileSource.model_validate(source), 0)[0], "sft")
    assert [message["content"] for message in row.messages] == ["1 + 1?", "2"]
    source["columns"] = {"instruction": "query", "output": "target"}
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:1: query: is to be instruction, by columns; the row has kind, "
    ):
        sources.read(sources.parts(FileSource.model_validate(source), 0)[0], "sft")


def test_typed_parts_are_thoughts_words_and_calls() -> None:
    """As LLaMA-Factory writes messages from version 1 on; a loss_weight of 0 is what is not learned."""
    call = {"type": "tool_call", "value": '{"name": "track", "arguments": {"id": "PX1"}}'}
    turns = [
        {"role": "user", "content": [{"type": "text", "value": "Where?"}], "loss_weight": 0.0},
        {"role": "assistant", "content": [{"type": "reasoning", "value": "PX1"}, call], "loss_weight": 0.0},
        {"role": "tool", "content": [{"type": "text", "value": "Brno"}]},
        {"role": "assistant", "content": [{"type": "text", "value": "In Brno."}], "loss_weight": 1.0},
    ]
    asked, called, found, answer = formats.messages({"messages": turns}).messages
    assert (asked["content"], "weight" in asked) == ("Where?", False)
    assert (called["content"], called["weight"]) == ("<think>\nPX1\n</think>\n\n", 0)
    assert called["tool_calls"][0]["function"] == {"name": "track", "arguments": {"id": "PX1"}}
    assert (found["content"], answer["content"], answer["weight"]) == ("Brno", "In Brno.", 1)
    call["value"] = "track"
    with pytest.raises(FieldError) as caught:
        formats.messages({"messages": turns})
    assert caught.value.field == "messages.1.tool_calls.0.function.name"


def test_sharegpt_may_speak_as_openai_does() -> None:
    """As LLaMA-Factory's files with ``role_tag: role`` and ``content_tag: content``."""
    turns = [{"role": "user", "content": "red?"}, {"role": "assistant", "content": "blue"}]
    assert formats.sharegpt({"conversations": turns}) == formats.messages({"messages": turns})
    with pytest.raises(FieldError) as caught:
        formats.sharegpt({"conversations": [{"role": "bot", "content": "x"}]})
    assert caught.value.field == "conversations.0.role"


def test_sharegpt_is_a_conversation_with_its_calls() -> None:
    row = formats.sharegpt(
        {
            "conversations": [
                {"from": "human", "value": "Where?"},
                {"from": "function_call", "value": '{"name": "track", "arguments": {"id": "PX1"}}'},
                {"from": "observation", "value": "Brno"},
                {"from": "gpt", "value": "In Brno."},
            ],
            "system": "Help.",
            "tools": json.dumps([TOOL["function"]]),
        }
    )
    assert [message["role"] for message in row.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert row.messages[2]["tool_calls"][0]["function"] == {"name": "track", "arguments": {"id": "PX1"}}
    assert row.tools == (TOOL,)  # as serving has it: the template must render what it will


@pytest.mark.parametrize(
    ("field", "turn"),
    [
        ("conversations.0.from", {"from": "bot", "value": "x"}),
        ("conversations.0.from", "x"),
        ("conversations.0.value", {"from": "gpt", "value": 7}),
        ("conversations.0.value", {"from": "function_call", "value": "track"}),
    ],
)
def test_the_field_of_a_bad_sharegpt_row_is_named(field: str, turn: object) -> None:
    with pytest.raises(FieldError) as caught:
        formats.sharegpt({"conversations": [turn]})
    assert caught.value.field == field


def test_arguments_given_as_openais_text_are_the_same_row() -> None:
    def row(arguments: object) -> Row:
        call = {"type": "function", "function": {"name": "track", "arguments": arguments}}
        return formats.messages({"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]})

    assert row('{"id": "PX1"}') == row({"id": "PX1"})


def test_files_are_read_as_people_write_them(tmp_path: Path) -> None:
    # U+2028 and U+0085 end a line for str.splitlines, not for JSON lines; editors add a byte order mark.
    odd = "one\u2028two\u0085three"
    path = tmp_path / "rows.jsonl"
    path.write_text("\ufeff" + json.dumps({"text": odd}, ensure_ascii=False) + "\r\n\r\n", encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text=odd)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"text": "a"}, {"text": "b"}]), encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text="a"), Row(text="b")]
    path = tmp_path / "book.txt"
    path.write_text("A book.\nIts end.\n", encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text="A book.\nIts end.\n")]


def test_a_source_that_can_not_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl: no such file; paths are seen from"):
        read(tmp_path / "none.jsonl", "text", "cpt")
    with pytest.raises(SourceError, match="holds no rows"):
        read(write_rows(tmp_path / "empty.jsonl", []), "text", "cpt")
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9t\xe9")
    with pytest.raises(SourceError, match="can't be read as UTF-8"):
        read(tmp_path / "latin.jsonl", "text", "cpt")
    (tmp_path / "one.json").write_text('{"text": "a"}', encoding="utf-8")
    with pytest.raises(SourceError, match="must hold a list of rows"):
        read(tmp_path / "one.json", "text", "cpt")
    for name, why in {
        "no.such.module:rows": "can't be imported",
        f"{__name__}:nothing": "has no 'nothing'",
        f"{__name__}:TOOL": "is not a function",
    }.items():
        source = GeneratorSource(generator=name, rows=3)
        with pytest.raises(SourceError, match=why):
            sources.read(sources.parts(source, 0)[0], "sft")
    source = GeneratorSource(generator=f"{__name__}:generated", rows=3, arguments={"colour": "red"})
    with pytest.raises(SourceError, match=r"does not take these arguments: .*colour"):
        sources.read(sources.parts(source, 0)[0], "sft")


@pytest.mark.parametrize("documents", ["file", "paragraph", "line"])
def test_a_text_file_may_part_its_documents_by_their_end(tmp_path: Path, documents: str) -> None:
    """As many corpora do; the mark is no text to learn, and each document gets its end anyway."""
    path = tmp_path / "book.txt"
    path.write_text("Red.\n<|endoftext|>\nBlue.<|endoftext|>Green.\n", encoding="utf-8")
    source = FileSource.model_validate({"path": path, "format": "text", "documents": documents})
    rows = sources.read(sources.parts(source, 0)[0], "cpt")
    assert [(row.text or "").strip() for row in rows] == ["Red.", "Blue.", "Green."]
    assert [row.where.removeprefix(f"{path}:") for row in rows] == ["1", "3", "3"]


def test_a_generator_that_refuses_its_arguments_is_heard() -> None:
    source = GeneratorSource(
        generator="deploy.demo.text.corpus:adapter_rows", rows=3, arguments={"adapter": "moth"}
    )
    with pytest.raises(SourceError, match="no adapter 'moth' in the demo; there are support"):
        sources.read(sources.parts(source, 0)[0], "sft")


def test_a_generators_rows_are_the_same_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PART_ROWS", 4)
    source = GeneratorSource(generator=f"{__name__}:generated", rows=10, arguments={"word": "blue"})
    parts = sources.parts(source, 7)
    assert [part.rows for part in parts] == [4, 4, 2]
    rows = [row for part in parts for row in sources.read(part, "sft")]
    assert len({row.canonical() for row in rows}) == 10  # a seed of its own each
    assert rows == [row for part in sources.parts(source, 7) for row in sources.read(part, "sft")]
    assert rows != [row for part in sources.parts(source, 8) for row in sources.read(part, "sft")]


CALL = {"name": "track", "arguments": '{"id": "PX1"}'}
CALLED = {"name": "track", "arguments": {"id": "PX1"}}


@pytest.mark.parametrize("speaker", ["assistant", "gpt"])
def test_sharegpts_turns_in_openais_form_keep_their_calls(speaker: str) -> None:
    call = {"type": "function", "function": CALL}
    turns = [{"role": "user", "content": "a"}, {"role": speaker, "content": None, "tool_calls": [call]}]
    turn = formats.sharegpt({"conversations": turns}).messages[1]
    assert turn == {"role": "assistant", "content": None, "tool_calls": [call | {"function": CALLED}]}


def test_openais_old_function_call_is_a_call() -> None:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "function", "name": "track", "content": "Brno"},
    ]
    _, turn, result = formats.messages({"messages": turns}).messages
    assert turn == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"type": "function", "function": CALLED}],
    }
    assert result["role"] == "tool"
    changes: list[tuple[dict[str, Any], str]] = [
        ({"function_call": {"name": "track", "arguments": "{"}}, "messages.0.function_call.arguments"),
        ({"function_call": "track"}, "messages.0.function_call.name"),
        ({"tool_calls": [{"function": CALL}]}, "messages.0.function_call"),
    ]
    for change, field in changes:
        with pytest.raises(FieldError) as caught:
            formats.messages({"messages": [turns[1] | change]})
        assert caught.value.field == field


@pytest.mark.parametrize("key", ["weight", "loss_weight"])
def test_a_weight_is_honoured_whatever_the_form(key: str) -> None:
    unlearned: dict[str, Any] = {key: 0}
    by_openai = formats.messages(said("a", "b", **unlearned)).messages[1]
    turns = [{"from": "human", "value": "a", key: 0}, {"from": "gpt", "value": "b", key: 0}]
    asked, by_sharegpt = formats.sharegpt({"conversations": turns}).messages
    assert asked == {"role": "user", "content": "a"}
    assert by_openai == by_sharegpt == {"role": "assistant", "content": "b", "weight": 0}
    with pytest.raises(FieldError, match=r"must be 0 \(not learned\) or 1") as caught:
        formats.sharegpt({"conversations": [turns[1] | {key: 0.5}]})
    assert caught.value.field == "conversations.0.weight"


@pytest.mark.parametrize(
    ("form", "field", "row"),
    [
        ("messages", "messages.1", said("a", " \n")),
        ("messages", "messages.1", said("a", "<think>\n\n</think>\n\n")),
        ("messages", "messages.1", said("a", "", tool_calls=[])),
        (
            "sharegpt",
            "conversations.1",
            {"system": "x", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]},
        ),
        ("sharegpt", "conversations.0.value", {"conversations": [{"from": "function_call", "value": "[]"}]}),
        ("alpaca", "output", {"instruction": "a", "output": ""}),
        ("alpaca", "answer", {"question": "a", "answer": " "}),
        ("alpaca", "history", {"history": [["a", ""]], "instruction": "b", "output": "c"}),
    ],
)
def test_an_answer_that_says_nothing_is_told(
    tmp_path: Path, form: str, field: str, row: dict[str, Any]
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:1: .*(says nothing|no calls).* leave the row out"
    ) as caught:
        read(path, form)
    assert caught.value.rows[0].field == field


def test_what_says_nothing_may_stand_where_it_is_not_learned(tmp_path: Path) -> None:
    rows = [said("a", "", weight=0), said("a", "<think>\nb\n</think>\n\n")]
    assert len(read(write_rows(tmp_path / "rows.jsonl", rows), "messages")) == 2


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_call_holds_no_number_that_json_has_not(number: str) -> None:
    value = f'{{"name": "track", "arguments": {{"id": {number}}}}}'
    with pytest.raises(FieldError, match="holds NaN or Infinity") as caught:
        formats.sharegpt({"conversations": [{"from": "function_call", "value": value}]})
    assert caught.value.field == "conversations.0.value.function.arguments"
