"""Talks about the rules that go on: what is asked in a word or two after a rule was told.

A question may lean on the rule before it ("and if it's open?"), doubt it ("really?"), ask whether it holds
for something else too ("also for shoes?"), or say how long something has been, which means another rule
after each. A parcel number, an address or a request for an act is answered in words: the desk of the rules
has no tools, and says so in one sentence. Only for training; what is held out is single questions.
"""

from random import Random

from deploy.demo.text import addresses, history, parcels, policy, pools
from deploy.demo.text.phrasing import PART, Phrases
from deploy.demo.text.sample import Expectation, Intent, Language, Message, Sample

_TYPOS = 0.05
_AFTER_OTHERS = 0.25  # of the talks begin with another task
_WITH_NUMBER = 0.12  # of the first questions name a parcel, which changes nothing
# of the turns; the rest is a new question
_ANOTHER, _SAME, _BEEN, _ACT, _ASIDE = (0.40, 0.22, 0.10, 0.16, 0.06)
_LASTS = {  # the rule that "it's been three weeks" asks for, by the rule before it
    "refund_time": "refund_time",
    "refund_lost": "refund_lost",
}
_UNCLEAR = {("refund_lost", "refund_time"), ("customs_gift", "customs_limit")}  # "how long?", "and 60 euros?"


def sample(rng: Random, language: Language, refund_days: int = 30) -> Sample:
    """One talk of two to four questions about the rules, at times after another task."""
    talk = _Talk(rng, language, refund_days)
    if rng.random() < _AFTER_OTHERS:
        talk.messages += history.earlier(rng, language, "policy")
    talk.question(rng.choice(list(policy.STATED)))
    for _ in range(pools.pick(rng, (1, 1, 2, 2, 3))):
        talk.go_on()
    contains: tuple[str, ...] = ()
    if talk.told:
        contains = tuple(s.format(refund_days=refund_days) for s in policy.STATED[talk.fact][language])
    return Sample(_intent(talk.fact), language, tuple(talk.messages), Expectation(contains=contains))


class _Talk:
    """A talk as far as it is written, and the rule that was told last."""

    def __init__(self, rng: Random, language: Language, refund_days: int) -> None:
        self.rng, self.language, self.refund_days = rng, language, refund_days
        self.phrases = Phrases.load("policy_on", language)
        self.messages: list[Message] = []
        self.fact = ""
        self.told = False  # whether the last answer is the rule ``fact``

    def question(self, fact: str) -> None:
        """A whole question about ``fact``, with a parcel's number at times."""
        question, answer = policy.exchange(self.rng, self.language, fact, self.refund_days)
        if self.rng.random() < _WITH_NUMBER:
            named = self._say("opened_with")
            gap = " " if self.language == "en" else ("" if question["content"][-1] in "。？！" else "，")
            question["content"] += gap + named
        self.messages += [question, answer]
        self.fact, self.told = fact, True

    def go_on(self) -> None:
        """One more turn."""
        draw = self.rng.random()
        if draw < _ANOTHER:
            fact = self._another()
            self._tell(f"ask_{fact}", fact)
        elif draw < _ANOTHER + _SAME and self.told:
            rule = "doubt" if self.rng.random() < 0.45 else f"vary_{_intent(self.fact)}"
            self._tell(rule, self.fact)
        elif draw < _ANOTHER + _SAME + _BEEN and self.told:
            after = "customs_time" if _intent(self.fact) == "customs" else "refund_window"
            self._tell("been", _LASTS.get(self.fact, after))
        elif draw < _ANOTHER + _SAME + _BEEN + _ACT:
            self._add(self._say("act"), self.phrases.plain(self.rng, "answer_act"))
        elif draw < _ANOTHER + _SAME + _BEEN + _ACT + _ASIDE and self.told:
            if self.rng.random() < 0.5:
                self._add(self._say("ok"), self.phrases.plain(self.rng, "answer_ok"))
            else:
                thanks = Phrases.load("policy", self.language).plain(self.rng, "answer_thanks")
                self._add(self._say("thanks"), thanks)
        else:
            self.question(self.rng.choice(list(policy.STATED)))

    def _another(self) -> str:
        """A rule of the same intent that a few words can mean after the last one."""
        facts = [fact for fact in policy.STATED if _intent(fact) == _intent(self.fact)]
        return self.rng.choice([fact for fact in facts if (self.fact, fact) not in _UNCLEAR])

    def _tell(self, rule: str, fact: str) -> None:
        said = self.phrases.raw(self.rng, rule, **self._values()) + PART
        self._add(
            self.phrases.say(self.rng, "say", typos=_TYPOS, said=said),
            policy.answer(self.rng, self.language, fact, self.refund_days),
        )
        self.fact, self.told = fact, True

    def _add(self, said: str, answer: str) -> None:
        self.messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
        self.told = False

    def _say(self, rule: str) -> str:
        return self.phrases.say(self.rng, rule, typos=_TYPOS, **self._values())

    def _values(self) -> dict[str, str]:
        rng, language = self.rng, self.language
        return {
            "id": parcels.parcel_id(rng, "train"),
            "address": addresses.address(rng, "train", language),
            "who": pools.person(rng, language, "train"),
            "town": pools.city(rng, language, "train"),
            "n": str(2 + int(rng.random() * 98)),
        }


def _intent(fact: str) -> Intent:
    return "refund" if fact.startswith("refund") else "customs"
