"""Talks in which the parcel desk can do nothing yet: what it asked for does not come, or it has no tool."""

from deploy.demo import tools
from deploy.demo.text.acts import INTENTS
from deploy.demo.text.desk_talk import Talk
from deploy.demo.text.sample import Intent


class Pending(Talk):
    """A conversation in which the desk must wait, or do nothing."""

    def needs_no_call(self, intent: Intent) -> None:
        """A first message that names a parcel and asks for nothing that the desk has a tool for."""
        if intent == "track_parcel":
            self.ask("found_id", id=self.new_id())
            self.tell("answer_found")
            return
        parcel_id = self.new_id() if self.rng.random() < 0.6 else ""
        self.ask("gripe_id" if parcel_id else "gripe_bare", id=parcel_id)
        self.tell("answer_reasons")
        self.after_reasons(parcel_id)

    def wait(self, intent: Intent) -> None:
        """The desk asked for what is missing, and does not get it at once."""
        parcel_id, address = self.new_id(), self.address()
        reason, asked = self.rng.choice(tools.REASONS), "ask_id"
        has_id = False
        if intent == "track_parcel":
            self.user("track", numbered=False)
        elif intent == "change_address":
            asked = self.rng.choice(("ask_id", "ask_address", "ask_id_and_address"))
            has_id = asked == "ask_address"
            first = "redirect" if asked == "ask_id" else "where"
            self.user(first, numbered=has_id, **({"id": parcel_id} if has_id else {"address": address}))
        else:
            asked = self.rng.choice(("ask_id", "ask_reason", "ask_id_and_reason"))
            has_id = asked == "ask_reason"
            if asked == "ask_id":
                self.user("complain_no_id", reason, numbered=False)
            else:
                self.user("complain_what", numbered=has_id, **({"id": parcel_id} if has_id else {}))
        self.say(asked, parcel_id=parcel_id)
        kind = self.rng.random()
        if asked.endswith("reason") and kind < 0.4:
            self.ask("gripe_it" if self.rng.random() < 0.7 else "gripe_none")
            self.tell("answer_reasons")
            self.after_reasons(parcel_id if has_id else "")
        elif kind < 0.55:
            self.ask("stop")
            self.tell("answer_stopped")
            self._maybe_new()
        elif kind < 0.7 and asked == "ask_id" and (intent != "complaint" or reason in ("lost", "late")):
            self.ask("found")
            self.tell("answer_found")
            self._maybe_new()
        else:
            self.ask("wait")
            self.say(asked, parcel_id=parcel_id)
            if self.rng.random() < 0.6:
                self._completed(asked, intent, parcel_id, address, reason)

    def _maybe_new(self) -> None:
        """At times the user asks for something else."""
        if self.rng.random() < 0.3:
            self.request(self.rng.choice(INTENTS), self.new_id())

    def _completed(self, asked: str, intent: Intent, parcel_id: str, address: str, reason: str) -> None:
        """The user says what was asked for, and the desk acts."""
        if asked == "ask_id_and_reason":
            self.user("complain", reason, id=parcel_id)
        else:
            rule = {"ask_id": "give_id", "ask_address": "give_address", "ask_reason": "give_reason"}
            said = reason if asked == "ask_reason" else ""
            self.user(rule.get(asked, "give_both"), said, id=parcel_id, address=address)
        self.act(intent, parcel_id, reason if intent == "complaint" else address)
