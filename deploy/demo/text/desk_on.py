"""How a talk with the parcel desk goes on: doubts, corrections, what was missed, second thoughts.

What was done already is told from the history, with no further call; a call is made only for what is asked
anew. Only in conversations to train on.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from deploy.demo.text import address_edits
from deploy.demo.text.acts import INTENTS
from deploy.demo.text.desk_pending import Pending
from deploy.demo.text.desk_talk import Talk, values_of
from deploy.demo.text.parcels import ill_formed_id, split_of
from deploy.demo.text.phrasing import PART
from deploy.demo.text.sample import Intent, Language, Sample

_FOUND_AFTER: Final = ("lost", "late")  # a complaint about these ends when the parcel is there
_NO_CALL = 0.12  # of the talks begin with what needs no call ...
_PENDING = 0.15  # ... or wait for what is missing
_OPENED = 0.3  # of the others have another topic before them


def sample(rng: Random, language: Language, intent: Intent) -> Sample:
    """One conversation that begins with ``intent``, after another topic or before more about it."""
    kind, opened = rng.random(), rng.random() < _OPENED
    talk = GoingOn(rng, language) if kind > _NO_CALL + _PENDING else Pending(rng, language)
    if kind < _NO_CALL and intent != "change_address":
        opened = False
    if opened:
        talk.open()
    if isinstance(talk, GoingOn):
        talk.request(intent, talk.new_id() if rng.random() < 0.93 else ill_formed_id(rng))
        if not opened or rng.random() < 0.8:
            talk.follow()
    elif kind < _NO_CALL and intent != "change_address":
        talk.needs_no_call(intent)
    else:
        talk.wait(intent)
    return Sample(intent, language, tuple(talk.messages))


class GoingOn(Talk):
    """A conversation after its first answer."""

    def __init__(self, rng: Random, language: Language) -> None:
        super().__init__(rng, language)
        self._closed = False  # all is said: nothing is left but thanks and something new

    def follow(self) -> None:
        """One to three more turns, each as it can follow what was done last."""
        before = ""
        if self.rng.random() < 0.2 and self.earlier(self.acts[0].intent):
            self.as_seen()
            self._it() if self.rng.random() < 0.5 else self._new()
        for _ in range(self.rng.choice((1, 1, 2, 2, 2, 3))):
            self.as_seen()
            choices = {name: weight for name, weight in self._choices().items() if name != before}
            before = self.rng.choices(list(choices), list(choices.values()))[0]
            if before.startswith("ask_"):
                self.ask(before)
                self.tell_done(self.acts[-1])
            else:
                turn: Callable[[], None] = getattr(self, f"_{before}")
                turn()

    def _choices(self) -> dict[str, float]:
        """What may follow now, and how often: questions on what was done, and methods by their names."""
        last = self.acts[-1]
        recall = {
            f"recall_{intent}": 9.0
            for intent in ("change_address", "complaint")
            if last.intent != intent and self.earlier(intent)
        }
        if self._closed:
            return {"thanks": 1, "fine": 1, "new": 3, **recall}
        always = {"thanks": 0.5, "fine": 1.5, "new": 0.8, "correct_id": 1.8, **recall}
        if last.result is None:
            return {**always, "correct_id": 6, "doubt": 3, "drop": 1.5}
        if last.intent == "track_parcel":
            return {**always, "again": 4, "found": 3, "drop": 2.5, "gripe": 2, "it": 1, "vague": 2}
        if last.intent == "change_address":
            asked = {"ask_address": 4, "ask_changed": 3, "undo": 2, "it": 1, "found": 0.7}
            more = {"there_too": 4, "correct_part": 9, "correct_address": 5, "vague": 1}
            return {**always, **asked, **more}
        found = {"found": 4.0} if last.given in _FOUND_AFTER else {}
        asked = {"ask_days": 7.0, "ask_ticket": 4, "ask_filed": 3}
        return {**always, **asked, **found, "undo": 3, "correct_reason": 1.2, "gripe": 1, "it": 1}

    # What may follow, but for questions on what was done; each method is a turn of the user and its answer.

    def _recall_complaint(self) -> None:
        self.ask("ask_ticket" if self.rng.random() < 0.6 else "ask_answer")
        self.tell_done(self.earlier("complaint")[-1])

    def _recall_change_address(self) -> None:
        self.ask("ask_address")
        self.tell_done(self.earlier("change_address")[-1])

    def _doubt(self) -> None:
        """What could not be done can't be done still."""
        self.ask("sure" if self.acts[-1].intent == "track_parcel" else "ask_changed")
        self.messages.append({"role": "assistant", "content": self.acts[-1].answer})

    def _again(self) -> None:
        self.ask("ask_status")
        self.track(self.acts[-1].parcel_id)

    def _found(self) -> None:
        if self.rng.random() < 0.4:
            self.ask("found_id", id=self.acts[-1].parcel_id)
        else:
            self.ask("found")
        self.tell("answer_found")
        self._closed = True

    def _fine(self) -> None:
        self.ask("ok")
        self.tell("answer_ok")

    def _drop(self) -> None:
        self.ask("stop")
        self.tell("answer_stopped")
        self._closed = True

    def _thanks(self) -> None:
        self.user("thanks")
        self.say("answer_thanks")
        self._closed = True

    def _undo(self) -> None:
        last = self.acts[-1]
        if last.intent == "complaint":
            rule, answer = "undo_complaint", "answer_undo_complaint"
        else:
            rule, answer = "undo_redirect", "answer_undo_redirect"
        self.ask(self.rng.choice((rule, "undo", "stop")))
        self.tell(answer, **values_of(last))

    def _gripe(self) -> None:
        self.ask("gripe_it")
        self.tell("answer_reasons")
        self.after_reasons(self.acts[-1].parcel_id)

    def _correct_id(self) -> None:
        last, parcel_id = self.acts[-1], self.new_id()
        self.ask("not_id", id=parcel_id, old=last.parcel_id)
        self.act(last.intent, parcel_id, last.given)

    def _there_too(self) -> None:
        """Another parcel to the same address."""
        last, parcel_id = self.acts[-1], self.new_id()
        self.ask("there_too", id=parcel_id)
        self.act(last.intent, parcel_id, last.given)

    def _correct_address(self) -> None:
        last, address = self.acts[-1], self.address()
        near = address_edits.slip(self.rng, last.given) if self.rng.random() < 0.5 else None
        if near is not None and split_of(near.address) == self.split:
            address = near.address
        self.ask("not_address", address=address)
        self.act(last.intent, last.parcel_id, address)

    def _correct_part(self) -> None:
        last = self.acts[-1]
        make = address_edits.forgotten if self.rng.random() < 0.2 else address_edits.slip
        edit = make(self.rng, last.given)
        if edit is None or split_of(edit.address) != self.split:
            self._correct_address()
            return
        if edit.kind == "part":
            self.ask("add_part", part=edit.new)
        else:
            rule = "not_house" if edit.kind == "house" and self.rng.random() < 0.75 else "not_part"
            self.ask(rule, new=edit.new, old=edit.old)
        self.act(last.intent, last.parcel_id, edit.address)

    def _correct_reason(self) -> None:
        last = self.acts[-1]
        reason = self.rng.choice(self.unfiled(last.parcel_id))
        goods, ordered = self.goods()
        said = self.phrases.raw(self.rng, f"{reason}_said", goods=goods, ordered=ordered) + PART
        self.ask("not_reason", said=said)
        self.act("complaint", last.parcel_id, reason)

    def _it(self) -> None:
        """Another request about the same parcel."""
        last = self.acts[-1]
        done = {act.intent for act in self.acts if act.parcel_id == last.parcel_id}
        others = [intent for intent in INTENTS if intent not in done]
        self.request(self.rng.choice(others or ["track_parcel"]), last.parcel_id, way="_it")

    def _vague(self) -> None:
        """Another request about the same parcel that lacks an address or a reason until the desk asks."""
        last = self.acts[-1]
        if last.intent == "track_parcel" and self.rng.random() < 0.5:
            self.user("where", numbered=False)
            self.say("ask_address", parcel_id=last.parcel_id)
            address = self.address()
            self.user("give_address", address=address)
            self.redirect(last.parcel_id, address)
            return
        self.user(self.rng.choice(("complain_bare", "complain_what")), numbered=False)
        self.say("ask_reason", parcel_id=last.parcel_id)
        reason = self.rng.choice(self.unfiled(last.parcel_id))
        self.user("give_reason", reason)
        self.complain(last.parcel_id, reason)

    def _new(self) -> None:
        """A request about another parcel."""
        self.request(self.rng.choice(INTENTS), self.new_id())
        self._closed = False
