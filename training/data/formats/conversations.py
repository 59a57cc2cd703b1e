"""The forms that rows come in, each turned into one: a text, or a conversation in OpenAI's form.

alpaca and sharegpt are read as the public files of LLaMA-Factory and BELLE write them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from training.data.formats import answered, thoughts, transcripts
from training.data.formats.message import MARKS, OTHERS, called, message, tools_of
from training.data.formats.opened import opened
from training.data.row import carried
from training.data.row.fields import FieldError, list_at, names, shown, text_at
from training.data.row.form import ANSWERED, ASKED, Form

SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    **OTHERS,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to learn from: a ``text``, or ``messages`` with the ``tools`` they may call."""

    text: str | None = None
    messages: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    prompt: int = 0  # messages that are the prompt's: what the assistant says among them sft does not learn
    where: str = field(default="", compare=False)  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The row's bytes, the same for the same content; what data hashes are made of."""
        conversation = [self.messages, self.tools, *([self.prompt] if self.prompt else [])]
        content = self.text if self.text is not None else conversation
        return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


def text(raw: dict[str, Any]) -> Row:
    """``{"text": ...}``."""
    return Row(text=text_at(raw, "text"))


def messages(raw: dict[str, Any]) -> Row:
    """``{"messages": [...], "tools"?, "system"?}``; also ``{"text": ...}``: a generator may mix both."""
    if "messages" not in raw and "text" in raw:
        return text(raw)
    turns = tuple(message(turn, f"messages.{i}") for i, turn in enumerate(list_at(raw, "messages")))
    if not turns:
        raise FieldError("messages", "is empty; give at least one message")
    return Row(messages=tuple(opened(raw, turns)), tools=tools_of(raw))


def prompt_completion(raw: dict[str, Any]) -> Row:
    """TRL's ``{"prompt", "completion", "system"?, "tools"?}``: each a text, a message or a list of messages.

    The completion alone is learned, which may be several turns, as where a tool is called.
    """
    prompt = answered.before_answer(opened(raw, answered.prompt(raw)), "prompt")
    said = answered.said(raw, "completion")
    if answered.is_transcript(raw):
        said = answered.transcript(said)
    if isinstance(said, str):
        said = answered.assistant(said)
    if not isinstance(said, list):
        said = [said]
    at = "completion.0" if isinstance(raw["completion"], list) else "completion"
    answered.refuse_other_speaker(said[0], at)
    return Row(messages=(*prompt, *said), tools=tools_of(raw), prompt=len(prompt))


def alpaca(raw: dict[str, Any]) -> Row:
    """``{"instruction", "input", "output"}``, with ``system``, ``history`` (pairs) and ``tools`` where given.

    Also ``{"question", "answer"}``, as GSM8K has, and Self-Instruct's ``{"instruction", "instances"}`` with
    one instance of ``{"input", "output"}``; an instruction may hold several turns, as BELLE's do.
    """
    as_asked = "question" in raw and "instruction" not in raw
    asked, said = ("question", "answer") if as_asked else ("instruction", "output")
    if said not in raw and "instances" in raw:
        raw = raw | _only_instance(raw)
    turns = opened(raw, ())
    for i, pair in enumerate(list_at(raw, "history") if raw.get("history") else []):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise FieldError(f"history.{i}", "must be a pair of texts, [question, answer]")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    question, more = text_at(raw, asked), text_at(raw, "input") if raw.get("input") else ""
    if not question:
        question, more = more, ""
    *before, last = transcripts.asked(question, asked) or [{"role": "user", "content": question}]
    turns += [*before, {**last, "content": f"{last['content']}\n{more}"} if more else last]
    thought = {key: raw[key] for key in thoughts.KEYS if key in raw}
    turns.append(thoughts.named({"role": "assistant", "content": text_at(raw, said), **thought}, ""))
    return Row(messages=tuple(turns), tools=tools_of(raw))


def _only_instance(raw: dict[str, Any]) -> dict[str, Any]:
    instances = list_at(raw, "instances")
    if len(instances) != 1:
        raise FieldError("instances", f"holds {len(instances)}; write a row for each of them")
    if not isinstance(instances[0], dict):
        raise FieldError("instances.0", f"must be an object, found {shown(instances[0])}")
    return {"input": instances[0].get("input"), "output": text_at(instances[0], "output", "instances.0")}


def sharegpt(raw: dict[str, Any]) -> Row:
    """``{"conversations": [{"from", "value"}], "system"?, "tools"?: "<JSON text>"}``."""
    turns = [
        sharegpt_turn(turn, f"conversations.{i}") for i, turn in enumerate(list_at(raw, "conversations"))
    ]
    if not turns:
        raise FieldError("conversations", "is empty; give at least one turn")
    return Row(messages=tuple(opened(raw, turns)), tools=tools_of(raw))


def sharegpt_turn(turn: Any, at: str) -> dict[str, Any]:
    """One ``{"from", "value"}``, or message in OpenAI's form, as a message; ``at`` is its dotted path."""
    as_openai = isinstance(turn, dict) and "from" not in turn and "role" in turn
    who, what = ("role", "content") if as_openai else ("from", "value")
    speaker = turn.get(who) if isinstance(turn, dict) else None
    if not isinstance(speaker, str) or speaker not in SHAREGPT_ROLES:
        raise FieldError(
            f"{at}.{who}", f"must be one of {', '.join(SHAREGPT_ROLES)}, {_other_speaker(turn, speaker)}"
        )
    role = SHAREGPT_ROLES[speaker]
    if as_openai:
        return message({**turn, "role": speaker if speaker in OTHERS else role}, at)
    carried.refuse_left_out_of_turn(turn, at)
    value = text_at(turn, what, at)
    said = called(value, f"{at}.{what}") if speaker == "function_call" else {"content": value}
    beside = (*MARKS, *(thoughts.KEYS if role == "assistant" else ()))
    more = {key: turn[key] for key in beside if key in turn}
    return message({"role": role, **more, **said}, at)


def _other_speaker(turn: Any, speaker: Any) -> str:
    """What is said of a turn whose speaker nobody knows, or which names none."""
    if not isinstance(turn, dict):
        return f"and the turn is {shown(turn)}"
    if speaker is None:
        return (
            f"and the turn has {names(turn)}; where its keys are called otherwise, give the source `columns: "
            "{role_tag: ..., content_tag: ...}`"
        )
    if not isinstance(speaker, str):
        return f"found {shown(speaker)}"
    return (
        f"found {shown(speaker)}; rename it in the file, or give the source `columns: {{assistant_tag: "
        f"{speaker}}}` if it is the model, `{{user_tag: {speaker}}}` if it is a person"
    )


FORMS: dict[str, Form[Row]] = {
    "text": Form(text, ("text",), likened={"text": ("content", "document", "body", "article")}, lone=True),
    "messages": Form(
        messages,
        ("messages",),
        ("tools", "text", "system"),
        {"messages": ("conversation", "dialogue", "dialog", "chat", "turns")},
    ),
    "prompt_completion": Form(
        prompt_completion,
        ("prompt", "completion"),
        ("tools", "system"),
        {"prompt": ASKED, "completion": ANSWERED},
    ),
    "alpaca": Form(
        alpaca,
        ("instruction", "output"),
        ("input", "history", "instances", "system", "tools", *thoughts.KEYS),
        {"instruction": ASKED, "output": ANSWERED, "input": ("context", "query")},
        {"question": "instruction", "answer": "output"},
    ),
    "sharegpt": Form(
        sharegpt,
        ("conversations",),
        ("system", "tools"),
        {"conversations": ("conversation", "messages", "dialogue", "dialog", "chat", "turns")},
        turns=("conversations",),
    ),
}
