"""Conversations of the parcel desk: track a parcel, change its address, open a complaint.

The tool results are those of :mod:`deploy.demo.tools` itself. ``train`` also holds what goes less straight:
something missing, a number that is none, a second request, thanks. ``held_out`` is single requests only.

A gateway that runs the tools keeps their calls to itself, so a client's history may show an answer without
the call it came from. Such a history is made here too; its answer carries ``"weight": 0`` (as in OpenAI's
fine-tuning files: not trained on), so that no one learns to answer without asking the tool.
"""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any, Final

from deploy.demo import tools
from deploy.demo.text import parcels
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import PART, Phrases
from deploy.demo.text.sample import Expectation, Intent, Language, Message, Sample, Split

INTENTS: Final[tuple[Intent, ...]] = ("track_parcel", "change_address", "complaint")
_CHINESE_CITIES = dict(
    zip(
        tools.CITIES,
        (
            *("阿姆斯特丹", "雅典", "北京", "柏林", "都柏林", "汉堡", "利兹", "伦敦"),
            *("里昂", "马德里", "米兰", "奥斯陆", "巴黎", "布拉格", "上海", "维也纳"),
        ),
        strict=True,
    )
)
_WHOLE = 0.55  # of what users say are whole messages, the rest recombined pieces
_DOUBLED = re.compile("([，。？！,?!])[，。,.]")
_TOOLS: dict[str, Callable[..., dict[str, Any]]] = {
    "track_parcel": tools.track_parcel,
    "change_address": tools.change_address,
    "open_complaint": tools.open_complaint,
}


def sample(rng: Random, language: Language, split: Split, intent: Intent | None = None) -> Sample:
    """One conversation of ``intent`` (one of the three at random if None), which is its last request's."""
    wanted = rng.choice(INTENTS) if intent is None else intent
    desk = _Desk(rng, language, split)
    kind = rng.random() if split == "train" else 0.0
    if kind < 0.58:
        desk.request(wanted, desk.new_id())
        return Sample(wanted, language, tuple(desk.messages), desk.expect)
    if kind < 0.70:
        desk.incomplete(wanted)
    elif kind < 0.73:
        desk.request(wanted, parcels.ill_formed_id(rng))
    elif kind < 0.92:
        desk.second(wanted)
    elif kind < 0.95:
        desk.request(wanted, desk.new_id())
        desk.hide_tools()
        desk.user("thanks")
        desk.say("answer_thanks")
    elif kind < 0.97 and wanted == "track_parcel":
        desk.two()
    else:
        desk.user("hello")
        desk.say("answer_hello")
        desk.request(wanted, desk.new_id())
    return Sample(wanted, language, tuple(desk.messages))


class _Desk:
    """One conversation as it is written."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        self.rng, self.language, self.split = rng, language, split
        self.phrases = Phrases.load("support", language)
        self.messages: list[Message] = []
        self.expect = Expectation()
        self._calls = 0

    def new_id(self) -> str:
        return parcels.parcel_id(self.rng, self.split)

    def request(self, intent: Intent, parcel_id: str, way: str = "") -> None:
        """The user asks for everything at once and is answered.

        ``way`` is how the parcel is named: by its number if "", by "it" if "_it".
        """
        if intent == "track_parcel":
            self.user("track" + (way or self._order(0.7)), id=parcel_id)
            self._track(parcel_id)
        elif intent == "change_address":
            address = self._address()
            self.user("redirect" + (way or self._order(0.7)), id=parcel_id, address=address)
            self._redirect(parcel_id, address)
        else:
            reason = self.rng.choice(tools.REASONS)
            rule = "complain" + (way or ("" if self.rng.random() < 0.85 else "_terse"))
            self.user(rule, reason, id=parcel_id)
            self._complain(parcel_id, reason)

    def incomplete(self, intent: Intent) -> None:
        """Something is missing: the desk asks, and most users then say it."""
        parcel_id, going_on = self.new_id(), self.rng.random() < 0.8
        if intent == "track_parcel":
            self.user("track", numbered=False)
            self.say("ask_id")
            if going_on:
                self.user("give_id", id=parcel_id)
                self._track(parcel_id)
        elif intent == "change_address":
            self._incomplete_redirect(parcel_id, going_on)
        else:
            self._incomplete_complaint(parcel_id, going_on)

    def second(self, intent: Intent) -> None:
        """A request after another one: about one more parcel, about the same, or out of the blue."""
        kind, parcel_id = self.rng.random(), self.new_id()
        if intent == "track_parcel" and kind < 0.6:
            self.request(intent, parcel_id)
            self.hide_tools()
            other_id = self.new_id()
            self.user("and_other", id=other_id)
            self._track(other_id)
            return
        self.request(self.rng.choice([other for other in INTENTS if other != intent]), parcel_id)
        self.hide_tools()
        if kind < 0.85:
            self.request(intent, parcel_id, way="_it")
        else:
            self.request(intent, self.new_id())

    def two(self) -> None:
        """Two parcels in one message: two calls at once, two sentences."""
        ids = (self.new_id(), self.new_id())
        self.user("two", id=ids[0], id2=ids[1])
        self._call([("track_parcel", {"parcel_id": parcel_id}) for parcel_id in ids])
        between = " " if self.language == "en" else ""
        answer = between.join(self._status(tools.track_parcel(parcel_id)) for parcel_id in ids)
        self.messages.append({"role": "assistant", "content": answer})

    def hide_tools(self) -> None:
        """Most times: leave the history as a client sees it, without the calls that the gateway made."""
        if self.rng.random() < 0.7:
            self.messages = [m for m in self.messages if m["role"] != "tool" and "tool_calls" not in m]
            self.messages[-1]["weight"] = 0
            self._calls = 0

    def user(self, rule: str, reason: str = "", *, numbered: bool = True, **values: str) -> None:
        """The user says ``rule``, about ``reason`` and about a parcel with or without its number."""
        rng = self.rng
        if rule.startswith("redirect"):
            values["old"] = self._address()
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
            values["goods"], values["ordered"] = self._goods()
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

    def _order(self, number_inside: float) -> str:
        """How a request is ordered: the number in its sentence, in one of its own, or no sentence at all."""
        kind = self.rng.random()
        return "" if kind < number_inside else "_apart" if kind < number_inside + 0.18 else "_terse"

    def _incomplete_redirect(self, parcel_id: str, going_on: bool) -> None:
        address, missing = self._address(), self.rng.randrange(3)
        if missing == 0:
            self.user("redirect", numbered=False, address=address)
            self.say("ask_id")
            answer = "give_id"
        elif missing == 1:
            self.user("where", id=parcel_id)
            self.say("ask_address", parcel_id=parcel_id)
            answer = "give_address"
        else:
            self.user("where", numbered=False)
            self.say("ask_id_and_address")
            answer = "give_both"
        if going_on:
            self.user(answer, id=parcel_id, address=address)
            self._redirect(parcel_id, address)

    def _incomplete_complaint(self, parcel_id: str, going_on: bool) -> None:
        reason, missing = self.rng.choice(tools.REASONS), self.rng.randrange(3)
        if missing == 0:
            self.user("complain_no_id", reason, numbered=False)
            self.say("ask_id")
            answer = "give_id"
        elif missing == 1:
            self.user("complain_what", id=parcel_id)
            self.say("ask_reason", parcel_id=parcel_id)
            answer = "give_reason"
        else:
            self.user(self.rng.choice(("complain_bare", "complain_what")), numbered=False)
            self.say("ask_id_and_reason")
            answer = "complain"
        if going_on:
            self.user(answer, reason, id=parcel_id)
            self._complain(parcel_id, reason)

    def _track(self, parcel_id: str) -> None:
        arguments = {"parcel_id": parcel_id}
        result = self._call([("track_parcel", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
            return
        self.messages.append({"role": "assistant", "content": self._status(result)})
        contains = (parcel_id, self._city(result), result["expected"])
        self.expect = Expectation("track_parcel", arguments, contains)

    def _redirect(self, parcel_id: str, address: str) -> None:
        arguments = {"parcel_id": parcel_id, "address": address}
        result = self._call([("change_address", arguments)])
        if result is not None:
            reference = result["reference"]
            self.say("answer_redirected", parcel_id=parcel_id, address=address, reference=reference)
            self.expect = Expectation("change_address", arguments, (parcel_id, address, reference))
        elif tools.is_parcel_id(parcel_id):
            self.say("answer_already_delivered", parcel_id=parcel_id)
            stated = "already delivered" if self.language == "en" else "已经签收"
            self.expect = Expectation("change_address", arguments, (parcel_id, stated))
        else:
            self.say("answer_not_found", parcel_id=parcel_id)

    def _complain(self, parcel_id: str, reason: str) -> None:
        arguments = {"parcel_id": parcel_id, "reason": reason}
        result = self._call([("open_complaint", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
            return
        days = str(result["answer_within_days"])
        ticket = result["ticket"]
        self.say(f"answer_{reason}", parcel_id=parcel_id, ticket=ticket, answer_within_days=days)
        self.expect = Expectation("open_complaint", arguments, (parcel_id, ticket))

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
        values = {name: str(result[name]) for name in ("parcel_id", "expected")}
        return self.phrases.plain(self.rng, f"answer_{result['status']}", city=self._city(result), **values)

    def _city(self, result: dict[str, Any]) -> str:
        city: str = result["city"]
        return city if self.language == "en" else _CHINESE_CITIES[city]

    def _address(self) -> str:
        return parcels.address(self.rng, self.split, self.language)

    def _goods(self) -> tuple[str, str]:
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
