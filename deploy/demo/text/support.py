"""Conversations of the parcel desk: track a parcel, change its address, open a complaint.

The tool results are those of :mod:`deploy.demo.tools` itself. ``train`` also holds what goes less straight:
something missing, a number that is none, a second request, thanks. ``held_out`` is single requests only.
"""

from random import Random
from typing import Any, Final

from deploy.demo import tools
from deploy.demo.text import parcels
from deploy.demo.text.sample import Expectation, Intent, Language, Sample, Split
from deploy.demo.text.turns import Turns

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


class _Desk(Turns):
    """What is asked and how it goes on."""

    def request(self, intent: Intent, parcel_id: str, way: str = "") -> None:
        """The user asks for everything at once and is answered.

        ``way`` is how the parcel is named: by its number if "", by "it" if "_it".
        """
        if intent == "track_parcel":
            self.user("track" + (way or self._order(0.7)), id=parcel_id)
            self._track(parcel_id)
        elif intent == "change_address":
            address = self.address()
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
            if not going_on and self.rng.random() < 0.5:
                self._without_number()
            elif going_on:
                if self.rng.random() < 0.06:
                    self._without_number()
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
        self.call([("track_parcel", {"parcel_id": parcel_id}) for parcel_id in ids])
        between = " " if self.language == "en" else ""
        answer = between.join(self._status(tools.track_parcel(parcel_id)) for parcel_id in ids)
        self.messages.append({"role": "assistant", "content": answer})

    def _order(self, number_inside: float) -> str:
        """How a request is ordered: the number in its sentence, in one of its own, or no sentence at all."""
        kind = self.rng.random()
        return "" if kind < number_inside else "_apart" if kind < number_inside + 0.18 else "_terse"

    def _incomplete_redirect(self, parcel_id: str, going_on: bool) -> None:
        address, missing = self.address(), self.rng.randrange(3)
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

    def _without_number(self) -> None:
        self.messages.append({"role": "user", "content": self.phrases.say(self.rng, "no_number", typos=0.04)})
        self.say("answer_no_number")

    def _track(self, parcel_id: str) -> None:
        arguments = {"parcel_id": parcel_id}
        result = self.call([("track_parcel", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
            return
        self.messages.append({"role": "assistant", "content": self._status(result)})
        contains = (parcel_id, self._city(result), result["expected"])
        self.expect = Expectation("track_parcel", arguments, contains)

    def _redirect(self, parcel_id: str, address: str) -> None:
        arguments = {"parcel_id": parcel_id, "address": address}
        result = self.call([("change_address", arguments)])
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
        result = self.call([("open_complaint", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
            return
        days = str(result["answer_within_days"])
        ticket = result["ticket"]
        self.say(f"answer_{reason}", parcel_id=parcel_id, ticket=ticket, answer_within_days=days)
        self.expect = Expectation("open_complaint", arguments, (parcel_id, ticket))

    def _status(self, result: dict[str, Any]) -> str:
        values = {name: str(result[name]) for name in ("parcel_id", "expected")}
        return self.phrases.plain(self.rng, f"answer_{result['status']}", city=self._city(result), **values)

    def _city(self, result: dict[str, Any]) -> str:
        city: str = result["city"]
        return city if self.language == "en" else _CHINESE_CITIES[city]
