"""The forms that preferences come in: two answers to one prompt of which one is better, or one with a label.

Plain texts, conversations (prompt apart, or both answers after the same turns), alpaca's and sharegpt's
ranking rows as LLaMA-Factory's files have them, and KTO's labelled answers. A plain text is what a user or
an assistant says: the base's chat template stands around it, as where it is served.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from training.data.formats import answered, conversations, thoughts, transcripts
from training.data.formats.answered import Message, Said
from training.data.formats.message import says_nothing, tools_of
from training.data.formats.opened import opened
from training.data.formats.pair import Labelled, Pair, Preference, Unpaired
from training.data.reading import sources
from training.data.row import carried
from training.data.row.fields import FieldError, names, shown, text_at
from training.data.row.form import ANSWERED, ASKED, Form

_TWO = "this stage needs two answers: chosen and rejected"
_NO_ANSWER = "chosen or rejected holds no answer"
_LARGEST_MARGIN = 1e30  # that float32 holds with a score added


def pairs(raw: dict[str, Any]) -> Pair | Unpaired:
    """``{"prompt", "chosen", "rejected"}``, each a text, a message or a list of them, with what is beside it.

    That may be ``margin``, ``system`` and ``tools``. The prompt may be called ``messages``. Without one,
    ``chosen`` and ``rejected`` are whole conversations that differ in their last answer; LLaMA-Factory calls
    those ``chosen_messages`` and ``rejected_messages``, and hh-rlhf writes each as one text, ``Human: ...
    Assistant: ...``, as its copies do the prompt. A few of those hold no answer, or follow other turns.
    """
    whole = {key: raw.get(f"{key}_messages") for key in ("chosen", "rejected")}
    raw = raw | {key: messages for key, messages in whole.items() if messages is not None}
    chosen, rejected = answered.said(raw, "chosen"), answered.said(raw, "rejected")
    if answered.is_transcript(raw) or not ("prompt" in raw or "messages" in raw):
        texts = isinstance(chosen, str) and isinstance(rejected, str)
        chosen, rejected = answered.transcript(chosen), answered.transcript(rejected)
        if texts and (why := _unpaired(chosen, rejected, alone=not answered.is_transcript(raw))):
            return Unpaired(why)
    if isinstance(chosen, list) and isinstance(rejected, list) and len(chosen) > 1 < len(rejected):
        if chosen[:-1] != rejected[:-1]:
            raise FieldError(
                "rejected",
                "must be the conversation of chosen but for its last message; make the turns before "
                "it the same",
            )
        prompt, chosen, rejected = chosen[:-1], chosen[-1], rejected[-1]
        for key in ("prompt", "messages"):
            _refuse_other(raw, key, [*prompt, chosen], "before the answers in chosen and rejected")
    elif "prompt" in raw:
        prompt = answered.prompt(raw)
        _refuse_other(
            raw, "messages", [*prompt, answered.answer(chosen, "chosen")], "in prompt, which is read"
        )
    elif "messages" in raw:
        prompt = answered.prompt(raw, "messages")
    else:
        raise FieldError(
            "prompt", "is required, unless chosen and rejected are conversations that begin with it"
        )
    return Pair(
        answered.before_answer(opened(raw, prompt), "prompt"),
        answered.answer(chosen, "chosen"),
        answered.answer(rejected, "rejected"),
        tools_of(raw),
        _margin(raw),
    )


def alpaca(raw: dict[str, Any]) -> Pair:
    """``{"instruction", "input"?, "chosen", "rejected", "tools"?}``; or ``output``, the better one first."""
    ranked = raw.get("output")
    if "chosen" not in raw and isinstance(ranked, list):
        if len(ranked) != 2:
            raise FieldError("output", f"must be the better and the worse answer, found {len(ranked)}")
        raw = {**raw, "chosen": ranked[0], "rejected": ranked[1]}
    if "chosen" not in raw:
        raise FieldError(
            "chosen", f"{_TWO}, or output as a list with the better first; the row has {names(raw)}"
        )
    asked = {key: value for key, value in raw.items() if key not in thoughts.KEYS}
    row = conversations.alpaca({**asked, "output": ""})
    chosen, rejected = text_at(raw, "chosen"), text_at(raw, "rejected")
    answers = (answered.answer(chosen, "chosen"), answered.answer(rejected, "rejected"))
    return Pair(row.messages[:-1], *answers, row.tools, _margin(raw))


def sharegpt(raw: dict[str, Any]) -> Pair:
    """``{"conversations": [{"from", "value"}], "chosen": {"from", "value"}, "rejected": {...}}``."""
    if missing := next((key for key in ("chosen", "rejected") if key not in raw), None):
        raise FieldError(missing, f"{_TWO}; the row has {names(raw)}")
    row = conversations.sharegpt(raw)
    answers = [conversations.sharegpt_turn(raw.get(key), key) for key in ("chosen", "rejected")]
    chosen, rejected = (
        answered.answer(turn, key) for turn, key in zip(answers, ("chosen", "rejected"), strict=True)
    )
    return Pair(
        answered.before_answer(list(row.messages), "conversations"), chosen, rejected, row.tools, _margin(raw)
    )


def labels(raw: dict[str, Any]) -> Labelled:
    """``{"prompt", "completion", "label"}``; or a row of messages, sharegpt or alpaca that ends in it.

    LLaMA-Factory calls the label ``kto_tag``.
    """
    if "messages" in raw:
        row, key = conversations.FORMS["messages"](raw), "messages"
    elif "conversations" in raw:
        row, key = _SHAREGPT(raw), "conversations"
    elif "instruction" in raw:
        row, key = _ALPACA(raw), "instruction"
    else:
        completion = answered.said(raw, "completion")
        if answered.is_transcript(raw):
            completion = answered.transcript(completion)
        turns = [*opened(raw, answered.prompt(raw)), answered.answer(completion, "completion")]
        carried.refuse_left_out(raw, conversations.FORMS["prompt_completion"].fields)
        row, key = conversations.Row(messages=tuple(turns), tools=tools_of(raw)), "prompt"
    if key != "prompt" and raw.get("completion") is not None:
        raise FieldError("completion", f"is not read beside {key}; remove one of the two")
    *prompt, answer = row.messages
    label = raw.get("label", raw.get("kto_tag"))
    if not isinstance(label, bool | int | float) or label not in (0, 1):
        raise FieldError("label", f"must be true (a good answer) or false, or 1 or 0; found {shown(label)}")
    return Labelled(answered.before_answer(prompt, key), answered.answer(answer, key), bool(label), row.tools)


_RANKED = ("chosen", "rejected")
_ALPACA, _SHAREGPT = conversations.FORMS["alpaca"], conversations.FORMS["sharegpt"]
_TWO_OF_ALPACA: Form[Preference] = _ALPACA.by(alpaca, *_RANKED, "margin")
FORMS: dict[str, Form[Preference]] = {
    "pairs": Form(
        pairs,
        ("prompt", *_RANKED),
        ("messages", "margin", "chosen_messages", "rejected_messages", "system", "tools"),
        {
            "prompt": ASKED,
            "chosen": ("preferred", "better", "good", "accepted", "win"),
            "rejected": ("dispreferred", "worse", "bad", "refused", "lose"),
        },
    ),
    "alpaca": replace(  # without a thought, which could be of either answer
        _TWO_OF_ALPACA, optional=tuple(key for key in _TWO_OF_ALPACA.optional if key not in thoughts.KEYS)
    ),
    "sharegpt": _SHAREGPT.by(sharegpt, *_RANKED, "margin", turns=_RANKED),
    "labels": Form(
        labels,
        ("prompt", "completion", "label"),
        ("kto_tag", "messages", *_ALPACA.required, *_ALPACA.optional, "conversations"),
        {"prompt": ASKED, "completion": ANSWERED, "label": ("good", "desirable")},
        turns=_SHAREGPT.turns,
    ),
}


def read(part: sources.Part) -> list[Preference]:
    """The rows of ``part``; raises as :func:`training.data.reading.sources.read` does."""
    return sources.read(part, FORMS, _GENERATED)


def any_form(raw: dict[str, Any]) -> Preference:
    """A generator's row: a label where it has one, else a pair."""
    return FORMS["labels" if raw.keys() & {"label", "kto_tag"} else "pairs"](raw)


_GENERATED = FORMS["pairs"].by(any_form, *FORMS["labels"].optional)


def _refuse_other(raw: dict[str, Any], key: str, said: list[Message], where: str) -> None:
    """Make sure that what stands under ``key`` is the end of the prompt of ``said``, the chosen conversation.

    It may be all of ``said`` too, as ``messages`` are in ultrafeedback_binarized. ``where``: where that is.
    """
    if raw.get(key) is None:
        return
    given = answered.prompt(raw, key)
    if given not in (said[:-1][-len(given) :], said):
        raise FieldError(key, f"is not what stands {where}; remove it, or make it the turns before")


def _unpaired(chosen: Said, rejected: Said, *, alone: bool) -> str:
    """Why what two transcripts hold is no pair, if it is none; ``alone``: no prompt stands beside them."""
    silent = [said for said in (chosen, rejected) if _unanswered(said)]
    if alone and silent and all(isinstance(said, list) or said in silent for said in (chosen, rejected)):
        return _NO_ANSWER
    if isinstance(chosen, list) and isinstance(rejected, list):
        if chosen[:-1] != rejected[:-1]:
            return "chosen and rejected follow other turns"
        last = [chosen[-1], rejected[-1]]
    elif alone or isinstance(chosen, list) or isinstance(rejected, list):
        return ""  # no transcripts
    else:
        last = [answered.assistant(str(chosen)), answered.assistant(str(rejected))]
    if any(turn["role"] != "assistant" or says_nothing(turn) for turn in last):
        return _NO_ANSWER
    return ""


def _unanswered(said: Said) -> bool:
    """Whether ``said`` is a transcript of one turn, the human's, or of none."""
    if not isinstance(said, str):
        return False
    return not said or [turn["role"] for turn in transcripts.spoken(said)] == ["user"]


def _margin(raw: dict[str, Any]) -> float | None:
    """Any number that float32 holds: by a negative one the chosen may be the worse by so much, as in TRL."""
    margin = raw.get("margin")
    if margin is None:
        return None
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not abs(margin) < _LARGEST_MARGIN:
        raise FieldError(
            "margin", f"must be a finite number, found {shown(margin)}; {_LARGEST_MARGIN:g} at most"
        )
    return margin
