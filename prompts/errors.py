"""Every error that the prompts raise.

PromptError
├── PromptNotFound          no template of that name, or no such version of it
└── RenderError
    ├── MissingVariables    required variables that were not given, all of them
    ├── UnknownVariables    variables that were given and that the template does not declare
    ├── PromptTooLong       a rendered message is over the bound
    └── InvalidMessage      a message of the conversation that can't be merged
pointsman.document.DocumentError
└── LibraryError            files of a library that can't be used, all problems of all files
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from pointsman.document import DocumentError


class PromptError(Exception):
    """Base of the tree; ``str(error)`` says what was expected and what was found."""


class PromptNotFound(PromptError):
    """The library holds no such template; ``name`` is what was asked for."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"no prompt {name!r}; {hint}")


class RenderError(PromptError):
    """A template that could not be rendered with what it was given."""


class MissingVariables(RenderError):
    """``names`` are declared without a default and were not given."""

    def __init__(self, template: str, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"prompt {template} needs the variables {', '.join(self.names)}")


class UnknownVariables(RenderError):
    """``names`` were given and are not declared by the template."""

    def __init__(self, template: str, names: Iterable[str], declared: Iterable[str]) -> None:
        self.names = tuple(names)
        known = ", ".join(declared) or "none"
        super().__init__(
            f"prompt {template} does not declare the variables {', '.join(self.names)}; declared: {known}"
        )


class PromptTooLong(RenderError):
    """A rendered message is longer than ``limit`` characters."""

    def __init__(self, template: str, limit: int) -> None:
        self.limit = limit
        super().__init__(f"prompt {template} renders to more than {limit} characters")


class InvalidMessage(RenderError):
    """A system or developer message of the client whose content is not text; ``parameter`` is its place."""

    def __init__(self, index: int, role: str) -> None:
        self.parameter = f"messages[{index}].content"
        super().__init__(
            f"{self.parameter} must be text or parts of text, as a {role} message's has to be here"
        )


class LibraryError(DocumentError):
    """A folder of templates that can't be used; ``errors`` has one DocumentError for each broken file."""

    def __init__(self, folder: Path, errors: Sequence[DocumentError]) -> None:
        self.errors = tuple(errors)
        super().__init__(folder, [problem for error in errors for problem in error.problems])

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)
