"""Conversations of the parcel desk: track a parcel, change its address, open a complaint.

The tool results are those of :mod:`deploy.demo.tools` itself. ``train`` also holds what goes less straight:
something missing, a number that is none, a second request, thanks. ``held_out`` is single requests only.

A gateway that runs the tools keeps their calls to itself, so a client's history may show an answer without
the call it came from. Such a history is made here too; its answer carries ``"weight": 0`` (as in OpenAI's
fine-tuning files: not trained on), so that no one learns to answer without asking the tool.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any, Final

from deploy.demo import tools
from deploy.demo.text import parcels, support_en, support_zh
from deploy.demo.text.grammar import fill, write_chinese, write_english
from deploy.demo.text.sample import Expectation, Intent, Language, Message, Sample, Split

INTENTS: Final[tuple[Intent, ...]] = ("track_parcel", "change_address", "complaint")
_WORDS: dict[Language, ModuleType] = {"en": support_en, "zh": support_zh}
_TOOLS: dict[str, Callable[..., dict[str, Any]]] = {
    "track_parcel": tools.track_parcel,
    "change_address": tools.change_address,
    "open_complaint": tools.open_complaint,
}


def sample(rng: Random, language: Language, split: Split, intent: Intent | None = None) -> Sample:
    """One conversation of ``intent`` (one of the three at random if None), which is its last request's."""
    intent = intent or rng.choice(INTENTS)
    desk = _Desk(rng, language, split)
    kind = rng.random() if split == "train" else 0.0
    if kind < 0.58:
        desk.request(intent)
    elif kind < 0.70:
        desk.incomplete(intent)
    elif kind < 0.74:
        desk.request(intent, ill_formed=True)
    elif kind < 0.92:
        desk.second(intent)
    elif kind < 0.95:
        desk.request(intent)
        desk.hide_tools()
        desk.user("thanks")
        desk.say(desk.words.WELCOME)
    elif kind < 0.97 and intent == "track_parcel":
        desk.two()
    else:
        desk.user("hello")
        desk.say(desk.words.HELLO)
        desk.request(intent)
    return Sample(intent, language, tuple(desk.messages), desk.expect if kind < 0.58 else Expectation())


class _Desk:
    """One conversation as it is written."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        self.rng, self.language, self.split = rng, language, split
        self.words: Any = _WORDS[language]
        self.messages: list[Message] = []
        self.expect = Expectation()
        self.parcel_id = ""
        self._calls = 0

    def request(
        self,
        intent: Intent,
        *,
        parcel_id: str | None = None,
        ill_formed: bool = False,
        rule: str | None = None,
        suffix: str = "",
    ) -> None:
        """The user asks for everything at once and is answered."""
        if parcel_id is None:
            parcel_id = parcels.ill_formed_id(self.rng) if ill_formed else self._new_id()
        slots = {"id": parcel_id}
        if intent == "track_parcel":
            self.user(rule or "track" + suffix, slots)
            self.track(parcel_id)
        elif intent == "change_address":
            slots |= {"address": self._address()}
            self.user("redirect" + suffix, slots)
            self.redirect(parcel_id, slots["address"])
        else:
            reason = self.rng.choice(tools.REASONS)
            self.user(f"complain{suffix}_{reason}", slots)
            self.complain(parcel_id, reason)

    def incomplete(self, intent: Intent) -> None:
        """Something is missing: the desk asks, and most users then say it."""
        words, rng = self.words, self.rng
        parcel_id, going_on = self._new_id(), rng.random() < 0.8
        slots = {"id": parcel_id}
        if intent == "track_parcel":
            self.user("track_missing")
            self.say(words.ASK_ID)
            if going_on:
                self.user("give_id", slots)
                self.track(parcel_id)
        elif intent == "change_address":
            slots |= {"address": self._address()}
            rule, question, answer = rng.choice(
                (
                    ("redirect_no_id", words.ASK_ID, "give_id"),
                    ("redirect_no_address", words.ASK_ADDRESS, "give_address"),
                    ("redirect_nothing", words.ASK_BOTH, "give_both"),
                )
            )
            self.user(rule, slots)
            self.say(question.format(parcel_id=parcel_id))
            if going_on:
                self.user(answer, slots)
                self.redirect(parcel_id, slots["address"])
        else:
            self._incomplete_complaint(parcel_id, going_on)

    def _incomplete_complaint(self, parcel_id: str, going_on: bool) -> None:
        words, rng = self.words, self.rng
        reason, slots = rng.choice(tools.REASONS), {"id": parcel_id}
        missing = rng.randrange(3)
        if missing == 0:
            self.user(f"complain_no_id_{reason}")
            self.say(words.ASK_ID)
            if going_on:
                self.user("give_id", slots)
        elif missing == 1:
            self.user("complain_no_reason", slots)
            self.say(words.ASK_REASON.format(parcel_id=parcel_id))
            if going_on:
                self.user(f"give_reason_{reason}")
        else:
            self.user("complain_nothing")
            self.say(words.ASK_ID_AND_REASON)
            if going_on:
                self.user(f"complain_{reason}", slots)
        if going_on:
            self.complain(parcel_id, reason)

    def second(self, intent: Intent) -> None:
        """A request after another one: about one more parcel, about the same, or out of the blue."""
        kind = self.rng.random()
        if intent == "track_parcel" and kind < 0.6:
            self.request(intent)
            self.hide_tools()
            self.request(intent, rule="and_other")
            return
        self.request(self.rng.choice([other for other in INTENTS if other != intent]))
        self.hide_tools()
        if kind < 0.8:
            self.request(intent, parcel_id=self.parcel_id, suffix="_it")
        else:
            self.request(intent)

    def two(self) -> None:
        """Two parcels in one message: two calls at once, two sentences."""
        slots = {"id": self._new_id(), "id2": self._new_id()}
        self.user("two", slots)
        self._call([("track_parcel", {"parcel_id": parcel_id}) for parcel_id in slots.values()])
        between = " " if self.language == "en" else ""
        self.say(between.join(self._status(tools.track_parcel(parcel_id)) for parcel_id in slots.values()))

    def hide_tools(self) -> None:
        """Most times: leave the history as a client sees it, without the calls that the gateway made."""
        if self.rng.random() < 0.7:
            called = any("tool_calls" in message for message in self.messages)
            self.messages = [m for m in self.messages if m["role"] != "tool" and "tool_calls" not in m]
            if called:
                self.messages[-1]["weight"] = 0
            self._calls = 0

    def track(self, parcel_id: str) -> None:
        arguments = {"parcel_id": parcel_id}
        result = self._call([("track_parcel", arguments)])
        if result is None:
            self._not_found("track_parcel", arguments)
            return
        self.say(self._status(result))
        city = self._city(result)
        self.expect = Expectation("track_parcel", arguments, (parcel_id, city, result["expected"]))

    def redirect(self, parcel_id: str, address: str) -> None:
        arguments = {"parcel_id": parcel_id, "address": address}
        result = self._call([("change_address", arguments)])
        if result is not None:
            self.say(self.words.REDIRECTED.format(**result))
            self.expect = Expectation("change_address", arguments, (parcel_id, address, result["reference"]))
        elif tools.is_parcel_id(parcel_id):
            self.say(self.words.ALREADY_DELIVERED.format(parcel_id=parcel_id))
            stated = "already delivered" if self.language == "en" else "已经签收"
            self.expect = Expectation("change_address", arguments, (parcel_id, stated))
        else:
            self._not_found("change_address", arguments)

    def complain(self, parcel_id: str, reason: str) -> None:
        arguments = {"parcel_id": parcel_id, "reason": reason}
        result = self._call([("open_complaint", arguments)])
        if result is None:
            self._not_found("open_complaint", arguments)
            return
        self.say(self.words.COMPLAINT[reason].format(parcel_id=parcel_id, **result))
        self.expect = Expectation("open_complaint", arguments, (parcel_id, result["ticket"]))

    def user(self, rule: str, slots: dict[str, str] | None = None) -> None:
        thing, other = self.rng.sample(self.words.THINGS, 2)
        text = self.words.GRAMMAR.write(self.rng, rule)
        text = (write_english if self.language == "en" else write_chinese)(text, self.rng)
        more = {"thing": thing, "other": other, "who": self.rng.choice(self.words.PEOPLE)}
        if "{old}" in text:
            more["old"] = self._address()
        self.messages.append({"role": "user", "content": fill(text, more | (slots or {}))})

    def say(self, content: str) -> None:
        self.messages.append({"role": "assistant", "content": content})

    def _call(self, calls: list[tuple[str, dict[str, str]]]) -> dict[str, Any] | None:
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

    def _status(self, result: dict[str, Any]) -> str:
        text: str = self.words.STATUS[result["status"]].format(**(result | {"city": self._city(result)}))
        return text

    def _city(self, result: dict[str, Any]) -> str:
        name: str = self.words.CITY_NAMES.get(result["city"], result["city"])
        return name

    def _not_found(self, tool: str, arguments: dict[str, str]) -> None:
        self.say(self.words.NOT_FOUND.format(parcel_id=arguments["parcel_id"]))
        self.expect = Expectation(tool, arguments, (arguments["parcel_id"],))

    def _new_id(self) -> str:
        self.parcel_id = parcels.parcel_id(self.rng, self.split)
        return self.parcel_id

    def _address(self) -> str:
        return parcels.address(self.rng, self.split, self.language)
