"""What the parcel desk does when it has all it needs: it calls the tool and says what came of it."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from deploy.demo import tools
from deploy.demo.text.sample import Expectation, Intent, Language, Split
from deploy.demo.text.turns import Turns

INTENTS: Final[tuple[Intent, ...]] = ("track_parcel", "change_address", "complaint")
CHINESE_CITIES: Final = dict(
    zip(
        tools.CITIES,
        (
            *("阿姆斯特丹", "雅典", "北京", "柏林", "都柏林", "汉堡", "利兹", "伦敦"),
            *("里昂", "马德里", "米兰", "奥斯陆", "巴黎", "布拉格", "上海", "维也纳"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the desk did, or could not do."""

    intent: Intent
    parcel_id: str
    given: str = ""  # the new address, or the reason of a complaint
    result: dict[str, Any] | None = None  # of the tool; None where it refused
    answer: str = ""  # what the desk said


class Acts(Turns):
    """A conversation in which requests are made and answered; ``acts`` holds them in order."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        super().__init__(rng, language, split)
        self.acts: list[Act] = []

    def request(self, intent: Intent, parcel_id: str, way: str = "") -> None:
        """The user asks for everything at once and is answered.

        ``way`` is how the parcel is named: by its number if "", by "it" if "_it".
        """
        if intent == "track_parcel":
            self.user("track" + (way or self._order(0.7)), id=parcel_id)
            self.track(parcel_id)
        elif intent == "change_address":
            address = self.address()
            self.user("redirect" + (way or self._order(0.7)), id=parcel_id, address=address)
            self.redirect(parcel_id, address)
        else:
            reason = self.rng.choice(tools.REASONS)
            rule = "complain" + (way or ("" if self.rng.random() < 0.85 else "_terse"))
            self.user(rule, reason, id=parcel_id)
            self.complain(parcel_id, reason)

    def track(self, parcel_id: str) -> None:
        arguments = {"parcel_id": parcel_id}
        result = self.call([("track_parcel", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
        else:
            self.messages.append({"role": "assistant", "content": self.status(result)})
            contains = (parcel_id, self._city(result), result["expected"])
            self.expect = Expectation("track_parcel", arguments, contains)
        self._done("track_parcel", parcel_id, "", result)

    def redirect(self, parcel_id: str, address: str) -> None:
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
        self._done("change_address", parcel_id, address, result)

    def complain(self, parcel_id: str, reason: str) -> None:
        arguments = {"parcel_id": parcel_id, "reason": reason}
        result = self.call([("open_complaint", arguments)])
        if result is None:
            self.say("answer_not_found", parcel_id=parcel_id)
        else:
            days = str(result["answer_within_days"])
            ticket = result["ticket"]
            self.say(f"answer_{reason}", parcel_id=parcel_id, ticket=ticket, answer_within_days=days)
            self.expect = Expectation("open_complaint", arguments, (parcel_id, ticket))
        self._done("complaint", parcel_id, reason, result)

    def status(self, result: dict[str, Any]) -> str:
        """The sentence on what tracking found."""
        values = {name: str(result[name]) for name in ("parcel_id", "expected")}
        return self.phrases.plain(self.rng, f"answer_{result['status']}", city=self._city(result), **values)

    def _order(self, number_inside: float) -> str:
        """How a request is ordered: the number in its sentence, in one of its own, or no sentence at all."""
        kind = self.rng.random()
        return "" if kind < number_inside else "_apart" if kind < number_inside + 0.18 else "_terse"

    def _city(self, result: dict[str, Any]) -> str:
        city: str = result["city"]
        return city if self.language == "en" else CHINESE_CITIES[city]

    def _done(self, intent: Intent, parcel_id: str, given: str, result: dict[str, Any] | None) -> None:
        self.acts.append(Act(intent, parcel_id, given, result, str(self.messages[-1]["content"])))
