"""What can go wrong in training, as one tree::

    TrainingError
    ├── SourceError      a data source can't be used: no such file, no such generator, an empty one
    ├── BadRows          rows that don't fit their format; names file, line, field and fix of each
    ├── BaseError        the base can't be loaded, or is not the one that an adapter was trained on
    ├── AdapterError     an adapter is broken, can't be gone on from, or would not be served
    ├── NothingToLearn   no token would be trained, or none that ends a turn
    ├── ForgotTooMuch    the base is worse at general text than the recipe allows, from the first evaluation
    ├── LossNotFinite    the loss, a gradient or a policy's chances became NaN or infinite
    ├── OutOfMemory      the machine or its GPU has less memory than the run needs
    ├── DiskFull         a checkpoint, the metrics or the artefact could not be written
    ├── ConversionError  a result can't be converted so, or not as exactly as asked
    ├── QuantizeError    a base can't be quantised so or here, or loses more than is allowed
    ├── RewardError      a reward can't be had: no such function, no whole model, or not one number an answer
    ├── RolloutError     the server that samples answers can't be reached, or gives none
    │   └── ServerLost       it is gone, or has forgotten what it had; another attempt later may do
    ├── EndpointError    a served model can't be asked: nothing answers, or in another form
    │   ├── ModelUnknown     the server has no model of that name
    │   └── RequestRefused   it answers this request with an error; ``status`` is HTTP's
    ├── PartsMissing     parts of an evaluation could not be measured, and others could
    ├── PackageMissing   an optional package is asked for and not installed
    ├── TrackerError     a tracker of metrics can't begin
    ├── NotReady         a run can't begin, for more reasons than one
    ├── Undistributable  the run can't be shared by so many processes
    ├── RunConflict      the run folder holds another run, or one that is still running
    ├── TrainingFailed   a release's training, in a process of its own, has ended with an error
    ├── ReleaseConflict  the release is another's, has ended, or what is live changed under it
    └── CandidateRefused the gateway does not take the candidate: every check that it failed

A recipe that can't be read is a :class:`pointsman.document.DocumentError`.
"""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 10  # bad rows that a message lists; all are counted


class TrainingError(Exception):
    """Base of all errors of this room; its text says what was found and what to do."""


class SourceError(TrainingError):
    """A data source that can't be used."""


class BaseError(TrainingError):
    """A base that can't be loaded, or another one than an adapter needs."""


class AdapterError(TrainingError):
    """An adapter that is broken, can't be gone on from, has another shape than is said, or nobody serves."""


class NothingToLearn(TrainingError):
    """Training would change nothing, or would never teach the model to stop."""


class ForgotTooMuch(TrainingError):
    """No evaluation of the run was within the bound on forgetting."""


class LossNotFinite(TrainingError):
    """The loss, a gradient or the chances of the next token are NaN or infinite."""


class OutOfMemory(TrainingError):
    """Less memory than the run needs."""


class DiskFull(TrainingError):
    """No room for what the run writes; the last whole checkpoint stays."""


class ConversionError(TrainingError):
    """A result that can't be converted in this way, or loses more than is allowed."""


class QuantizeError(TrainingError):
    """A base that can't be quantised in this way or on this machine, or loses more than is allowed."""


class RewardError(TrainingError):
    """A reward function or model that can't be used, or gives something else than one number an answer."""


class RolloutError(TrainingError):
    """A server that should sample answers and does not."""


class ServerLost(RolloutError):
    """A server that sampled answers, or was about to, and is gone; with it back the run can go on."""


class EndpointError(TrainingError):
    """A served model that can't be asked."""


class ModelUnknown(EndpointError):
    """The server does not know the model's name."""


class RequestRefused(EndpointError):
    """The server answers a request with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PartsMissing(TrainingError):
    """Parts of an evaluation that could not be measured; ``gaps`` has a sentence for each."""

    def __init__(self, gaps: list[str]) -> None:
        super().__init__(gaps)  # the argument, not the text, as of BadRows
        self.gaps = gaps

    def __str__(self) -> str:
        again = "asked again, all parts are measured anew"
        return "\n".join(
            [f"not measured, and missing in the report; {again}:", *(f"  {g}" for g in self.gaps)]
        )


class PackageMissing(TrainingError):
    """Something optional is asked for whose package is not installed."""


class TrackerError(TrainingError):
    """A tracker of metrics that refuses to begin."""


class NotReady(TrainingError):
    """Several of the others, each of which would end a run; ``errors`` has them."""

    def __init__(self, errors: list[TrainingError]) -> None:
        super().__init__(errors)  # the argument, not the text, as of BadRows
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join([f"{len(self.errors)} problems", *(f"  {error}" for error in self.errors)])


class Undistributable(TrainingError):
    """A recipe that can't be trained by the processes that were started."""


class RunConflict(TrainingError):
    """The run folder can't be used for this recipe, or not now."""


class TrainingFailed(TrainingError):
    """The training of a release has failed."""


class ReleaseConflict(TrainingError):
    """A release that can't go on as it is."""


class CandidateRefused(TrainingError):
    """An artefact that the gateway's checks or its probe refuse; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)  # the argument, not the text, as of BadRows
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that does not fit its format."""

    where: str  # "file.jsonl:12", or "module:function row 3"
    field: str  # dotted path inside the row, "" for the whole row
    problem: str  # what was found and what would be right

    def __str__(self) -> str:
        return f"{self.where}: {self.field + ': ' if self.field else ''}{self.problem}"


class BadRows(TrainingError):
    """Rows that don't fit their format, or the base's chat template."""

    def __init__(self, rows: list[BadRow]) -> None:
        self.rows = rows
        super().__init__(rows)  # the argument, not the text: an error crosses processes by its arguments

    def __str__(self) -> str:
        count = len(self.rows)
        lines = [f"{count} bad row{'s' if count > 1 else ''}"]
        lines += [f"  {row}" for row in self.rows[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  ... and {count - SHOWN} more")
        return "\n".join(lines)
