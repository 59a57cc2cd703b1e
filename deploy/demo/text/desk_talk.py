"""What talks with the parcel desk are made of, beyond requests and their answers.

What was done already is told from the history, with no further call. Only in conversations to train on.
"""

from random import Random
from typing import Final

from deploy.demo import tools
from deploy.demo.text import arithmetic, policy, refusal, smalltalk
from deploy.demo.text.acts import Act, Acts
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Intent, Language

_OTHERS: Final = {  # what is talked of before a parcel is; the first question and its answer
    "smalltalk": smalltalk.sample,
    "policy": policy.sample,
    "arithmetic": arithmetic.sample,
    "refusal": refusal.sample,
}


class Talk(Acts):
    """A conversation that does not end with its first answer."""

    def __init__(self, rng: Random, language: Language) -> None:
        super().__init__(rng, language, "train")
        self.on = Phrases.load("desk_on", language)
        self._as_clients_see = rng.random() < 0.7

    def open(self) -> None:
        """A greeting or another topic, answered before the parcel is spoken of; not learned here."""
        if self.rng.random() < 0.3:
            self.user("hello")
            self.say("answer_hello")
            return
        maker = _OTHERS[self.rng.choices(list(_OTHERS), (5, 2, 2, 1))[0]]
        question, answer = maker(self.rng, self.language, "train").messages[:2]
        said = str(answer["content"]).rpartition("</think>")[2].strip()
        self.messages += [question, {"role": "assistant", "content": said, "weight": 0}]

    def as_seen(self) -> None:
        """What was answered so far, as a client sends it back."""
        if self._as_clients_see:
            self.strip_calls()

    def ask(self, rule: str, **values: str) -> None:
        """The user says ``rule``."""
        text = self.on.say(self.rng, rule, typos=0.06, br="\n", **values).strip()
        self.messages.append({"role": "user", "content": text})

    def tell(self, rule: str, **values: str) -> None:
        """The desk answers without a call."""
        answer = self.on.plain(self.rng, rule, **values)
        self.messages.append({"role": "assistant", "content": answer})

    def tell_done(self, act: Act) -> None:
        """The desk repeats what came of ``act``."""
        self.tell("answer_ticket" if act.intent == "complaint" else "answer_address", **values_of(act))

    def act(self, intent: Intent, parcel_id: str, given: str) -> None:
        """The desk does it, and says what came of it."""
        if intent == "track_parcel":
            self.track(parcel_id)
        elif intent == "change_address":
            self.redirect(parcel_id, given)
        else:
            self.complain(parcel_id, given)

    def earlier(self, intent: str) -> list[Act]:
        """What the desk did of ``intent``."""
        return [act for act in self.acts if act.intent == intent and act.result is not None]

    def unfiled(self, parcel_id: str) -> list[str]:
        """The reasons for which there is no complaint about the parcel yet."""
        filed = [act.given for act in self.acts if act.intent == "complaint" and act.parcel_id == parcel_id]
        return [reason for reason in tools.REASONS if reason not in filed]

    def after_reasons(self, parcel_id: str) -> None:
        """At times the user finds one of the reasons, or drops it."""
        kind, reason = self.rng.random(), self.rng.choice(self.unfiled(parcel_id))
        if kind < 0.15:
            self.ask("stop")
            self.tell("answer_stopped")
        elif kind < 0.45:
            self.user("give_reason", reason)
            if not parcel_id:
                self.say("ask_id")
                parcel_id = self.new_id()
                self.user("give_id", id=parcel_id)
            self.complain(parcel_id, reason)


def values_of(act: Act) -> dict[str, str]:
    """What an answer may tell of ``act``, which succeeded."""
    told = {name: str(value) for name, value in (act.result or {}).items()}
    return {**told, "parcel_id": act.parcel_id}
