"""A conversation as it is written, turn by turn: what a user says, what the desk answers and calls.

A gateway that runs the tools keeps their calls to itself, so a client's history may show an answer without
the call it came from. Such a history is made here too; its answer carries ``"weight": 0`` (as in OpenAI's
fine-tuning files: not trained on), so that no one learns to answer without asking the tool.
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from deploy.demo import tools
from deploy.demo.text import addresses, parcels
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import PART, Phrases
from deploy.demo.text.sample import Expectation, Language, Message, Split

_WHOLE = 0.55  # of what users say are whole messages, the rest recombined pieces
_ON_LINES = 0.07  # of the addresses to train on stand on several lines; the tool gets them in one
_DOUBLED = re.compile("([，。？！,?!])[，。,.]")
_TOOLS: dict[str, Callable[..., dict[str, Any]]] = {
    "track_parcel": tools.track_parcel,
    "change_address": tools.change_address,
    "open_complaint": tools.open_complaint,
}


class Turns:
    """One conversation of the parcel desk, as far as it is written."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        self.rng, self.language, self.split = rng, language, split
        self.phrases = Phrases.load("support", language)
        self.messages: list[Message] = []
        self.expect = Expectation()
        self._calls = 0

    def new_id(self) -> str:
        return parcels.parcel_id(self.rng, self.split)

    def user(self, rule: str, reason: str = "", *, numbered: bool = True, **values: str) -> None:
        """The user says ``rule``, about ``reason`` and about a parcel with or without its number."""
        rng = self.rng
        if rule.startswith("redirect"):
            values["old"] = self.address()
        if "address" in values and self.split == "train" and rng.random() < _ON_LINES:
            values["address"] = addresses.on_lines(rng, values["address"])
        if rng.random() < _WHOLE:
            whole = _whole_rule(rule, reason, numbered)
            text = message(rng, "support", self.language, whole, **values)
        else:
            text = self._recombined(rule, reason, numbered, values)
        self.messages.append({"role": "user", "content": text})

    def _recombined(self, rule: str, reason: str, numbered: bool, values: dict[str, str]) -> str:
        phrases, rng = self.phrases, self.rng
        if self.language == "zh" and rng.random() < 0.3:
            values |= {name: f" {values[name]} " for name in ("id", "id2") if name in values}
        if rule.endswith("_apart"):
            numbered = False
        values["br"] = "\n"
        if "id" in values or not numbered:
            values["np"] = phrases.raw(rng, "np" if numbered else "np0", **values) + PART
        if reason:
            values["goods"], values["ordered"] = self.goods()
            values["did"] = phrases.raw(rng, f"{reason}_did", **values) + PART
            values["said"] = phrases.raw(rng, f"{reason}_said", **values) + PART
        text = phrases.say(rng, rule, typos=0.04, **values).strip()
        if self.language == "zh":
            text = _DOUBLED.sub(r"\1", text).rstrip("，, ")
        if self.language == "en" and rng.random() < 0.02:
            text = _shout(text, values)
        return text

    def say(self, rule: str, **values: str) -> None:
        answer = self.phrases.plain(self.rng, rule, **values)
        self.messages.append({"role": "assistant", "content": answer})

    def hide_tools(self) -> None:
        """Most times: leave the history as a client sees it, without the calls that the gateway made."""
        if self.rng.random() < 0.7:
            self.strip_calls()

    def strip_calls(self) -> None:
        """Take the calls and their results out; what was answered after them is not learned then."""
        shown: list[Message] = []
        called = False
        for each in self.messages:
            if each["role"] == "tool" or "tool_calls" in each:
                called = True
                continue
            shown.append({**each, "weight": 0} if called else each)
            called = False
        self.messages = shown
        self._calls = 0

    def call(self, calls: list[tuple[str, dict[str, str]]]) -> dict[str, Any] | None:
        """Append the calls and their results; the last result, None where the tool refused."""
        tool_calls: list[dict[str, Any]] = []
        results: list[Message] = []
        result: dict[str, Any] | None = None
        for name, arguments in calls:
            number = f"call_{self._calls}"
            self._calls += 1
            try:
                result = _TOOLS[name](**arguments)
                content = json.dumps(result, ensure_ascii=False)
            except ValueError as exc:
                result, content = None, f"error: {exc}"  # as chains.tools puts it
            function = {"name": name, "arguments": arguments}
            tool_calls.append({"type": "function", "id": number, "function": function})
            results.append({"role": "tool", "tool_call_id": number, "name": name, "content": content})
        self.messages.append({"role": "assistant", "content": "", "tool_calls": tool_calls})
        self.messages += results
        return result

    def address(self) -> str:
        return addresses.address(self.rng, self.split, self.language)

    def goods(self) -> tuple[str, str]:
        """Two different things."""
        first = second = self.phrases.plain(self.rng, "goods")
        while second == first:
            second = self.phrases.plain(self.rng, "goods")
        return first, second


def _whole_rule(rule: str, reason: str, numbered: bool) -> str:
    """The rule of the whole messages that says what ``rule`` of the pieces says."""
    rule = rule.removesuffix("_apart").removesuffix("_terse")
    if rule == "where":
        return "redirect_no_address" if numbered else "redirect_bare"
    if rule == "complain_what":
        return "complain_no_reason" if numbered else "complain_bare"
    if rule == "give_reason":
        return f"{reason}_reason"
    if rule == "and_other":
        return "next_track"
    if reason and rule.startswith("complain"):  # complain, complain_no_id or complain_it
        return reason + rule.removeprefix("complain")
    return rule if numbered else f"{rule}_no_id" if rule in ("track", "redirect") else rule


def _shout(text: str, values: dict[str, str]) -> str:
    """``text`` in capitals, but for what will be copied."""
    kept = [value for name, value in values.items() if name in ("id", "id2", "address", "old")]
    for number, value in enumerate(kept):
        text = text.replace(value, f"\0{number}\0")
    text = text.upper()
    for number, value in enumerate(kept):
        text = text.replace(f"\0{number}\0", value)
    return text
