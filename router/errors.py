"""Every error that the router raises.

RouterError
├── ExamplesError        examples that can't be fitted: all problems at once
├── PatternError         a regular expression can't be used or could be slow
├── EncoderError         the encoder can't be found or loaded, or answers with something unusable
├── ArtefactError
│   ├── ArtefactUnreadable   missing, damaged or of another format
│   └── ArtefactMismatch     made with another encoder, other examples or other code
├── RowsError            an evaluation file has a bad row: file, line, what was expected
└── RouterClosed         a decision was asked of a batching router that is closed
"""

from __future__ import annotations

from collections.abc import Sequence


class RouterError(Exception):
    """Base of the tree; ``str(error)`` says what was found, what was expected and what to do."""


class ExamplesError(RouterError):
    """The examples can't be fitted; ``problems`` has a sentence for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class PatternError(RouterError):
    """A regular expression that can't be used; the message goes on after its name."""


class EncoderError(RouterError):
    """The encoder can't be found, loaded or used."""


class ArtefactError(RouterError):
    """Something about a saved router."""


class ArtefactUnreadable(ArtefactError):
    """No saved router there, or one that is damaged or of another format."""


class ArtefactMismatch(ArtefactError):
    """A saved router that belongs to another encoder, other examples or other code."""


class RowsError(RouterError):
    """A row of an evaluation file is not ``{"text": str, "intent": str | null}``."""


class RouterClosed(RouterError):
    """The batching router no longer takes requests."""
