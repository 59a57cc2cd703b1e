"""Conversations of the parcel desk: track a parcel, change its address, open a complaint.

The tool results are those of :mod:`deploy.demo.tools` itself. ``train`` also holds what goes less straight:
something missing, a number that is none, a second request, thanks, and what else may follow. ``held_out`` is
single requests only.
"""

from random import Random

from deploy.demo import tools
from deploy.demo.text import desk_on, parcels
from deploy.demo.text.acts import INTENTS, Acts
from deploy.demo.text.sample import Intent, Language, Sample, Split


def sample(rng: Random, language: Language, split: Split, intent: Intent | None = None) -> Sample:
    """One conversation of ``intent`` (one of the three at random if None), which is its last request's."""
    wanted = rng.choice(INTENTS) if intent is None else intent
    desk = _Desk(rng, language, split)
    kind = rng.random() if split == "train" else 0.0
    if kind < 0.45:
        desk.request(wanted, desk.new_id())
        return Sample(wanted, language, tuple(desk.messages), desk.expect)
    if kind < 0.60:
        return desk_on.sample(rng, language, wanted)
    if kind < 0.72:
        desk.incomplete(wanted)
    elif kind < 0.75:
        desk.request(wanted, parcels.ill_formed_id(rng))
    elif kind < 0.93:
        desk.second(wanted)
    elif kind < 0.96:
        desk.request(wanted, desk.new_id())
        desk.hide_tools()
        desk.user("thanks")
        desk.say("answer_thanks")
    elif kind < 0.98 and wanted == "track_parcel":
        desk.two()
    else:
        desk.user("hello")
        desk.say("answer_hello")
        desk.request(wanted, desk.new_id())
    return Sample(wanted, language, tuple(desk.messages))


class _Desk(Acts):
    """What is asked and how it goes on."""

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
                self.track(parcel_id)
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
            self.track(other_id)
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
        answer = between.join(self.status(tools.track_parcel(parcel_id)) for parcel_id in ids)
        self.messages.append({"role": "assistant", "content": answer})

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
            self.redirect(parcel_id, address)

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
            self.complain(parcel_id, reason)

    def _without_number(self) -> None:
        self.messages.append({"role": "user", "content": self.phrases.say(self.rng, "no_number", typos=0.04)})
        self.say("answer_no_number")
