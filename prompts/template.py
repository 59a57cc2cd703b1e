"""One prompt template: what stands in front of a conversation, with its variables and examples.

A template is checked and compiled once, when it is read; rendering is pure and never reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import Template, TemplateError
from pydantic import Field

from pointsman.document import Document, DocumentError, lines_of, parse
from pointsman.problems import Location, Problem
from prompts.errors import InvalidMessage, MissingVariables, PromptTooLong, RenderError, UnknownVariables
from prompts.sandbox import compile_text, inspect

Message = dict[str, Any]  # one message in OpenAI's chat form
CHARACTERS = 64_000  # of one rendered message


class Variable(Document):
    """A declared variable; without ``default`` it is required."""

    description: str = ""
    default: Any = None

    @property
    def required(self) -> bool:
        return "default" not in self.model_fields_set


class Opening(Document):
    """A message of the template; ``content`` is Jinja."""

    role: Literal["system", "user", "assistant"]
    content: str


class Example(Document):
    """One few-shot exchange; both are Jinja."""

    user: str
    assistant: str


class PromptDocument(Document):
    """What a template's YAML file holds."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = Field(min_length=1)
    variables: dict[str, Variable] = Field(default_factory=dict)
    messages: list[Opening] = Field(default_factory=list)
    examples: list[Example] = Field(default_factory=list)

    def texts(self) -> dict[Location, str]:
        """Every Jinja text by its place in the document."""
        found: dict[Location, str] = {}
        for index, message in enumerate(self.messages):
            found[("messages", index, "content")] = message.content
        for index, example in enumerate(self.examples):
            found[("examples", index, "user")] = example.user
            found[("examples", index, "assistant")] = example.assistant
        return found


class PromptTemplate:
    """A template that was found good, ready to render."""

    def __init__(self, document: PromptDocument) -> None:
        self._document = document
        self._system: Template | None = None
        self._opening: list[tuple[str, Template]] = []
        for example in document.examples:
            self._opening.append(("user", compile_text(example.user)))
            self._opening.append(("assistant", compile_text(example.assistant)))
        for message in document.messages:
            compiled = compile_text(message.content)
            if message.role == "system":
                self._system = compiled
            else:
                self._opening.append((message.role, compiled))
        self._defaults = {n: v.default for n, v in document.variables.items() if not v.required}
        self._required = [n for n, v in document.variables.items() if v.required]

    @classmethod
    def read(cls, text: str, path: Path | str = "<text>") -> PromptTemplate:
        """The template in the YAML ``text``; ``path`` names it in errors.

        Raises:
            DocumentError: with every problem of the text and its line.
        """
        document = parse(PromptDocument, text, path)
        problems = _problems(document, text)
        if problems:
            raise DocumentError(path, problems)
        return cls(document)

    @property
    def name(self) -> str:
        return self._document.name

    @property
    def version(self) -> str:
        return self._document.version

    @property
    def description(self) -> str:
        return self._document.description

    @property
    def variables(self) -> Mapping[str, Variable]:
        """The declared variables by name."""
        return self._document.variables

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        variables: Mapping[str, object] | None = None,
        limit: int = CHARACTERS,
    ) -> list[Message]:
        """``messages`` with the template in front; neither argument is changed.

        There is at most one system message, at the start: ours, then the client's system and developer
        messages in their order, separated by blank lines. Examples follow it, then the conversation.

        Args:
            limit: characters that one rendered message may have.

        Raises:
            MissingVariables: names all that are missing.
            UnknownVariables: names all that are not declared.
            PromptTooLong: a rendered message is over ``limit``.
            InvalidMessage: a client's system message is not text.
            RenderError: an expression of the template failed on the values given.
        """
        values = self._values(variables or {})
        system = [self._text(self._system, values, limit)] if self._system else []
        opening = [
            {"role": role, "content": self._text(compiled, values, limit)} for role, compiled in self._opening
        ]
        conversation: list[Message] = []
        for index, message in enumerate(messages):
            if message.get("role") in ("system", "developer"):
                system.append(_text_of(message, index))
            else:
                conversation.append(dict(message))
        merged = "\n\n".join(part for part in system if part)
        leading = [{"role": "system", "content": merged}] if merged else []
        return [*leading, *opening, *conversation]

    def _values(self, variables: Mapping[str, object]) -> dict[str, object]:
        unknown = [name for name in variables if name not in self._document.variables]
        if unknown:
            raise UnknownVariables(str(self), unknown, self._document.variables)
        missing = [name for name in self._required if name not in variables]
        if missing:
            raise MissingVariables(str(self), missing)
        return {**self._defaults, **variables}

    def _text(self, compiled: Template, values: Mapping[str, object], limit: int) -> str:
        parts: list[str] = []
        length = 0
        try:
            for part in compiled.generate(values):
                length += len(part)
                if length > limit:
                    raise PromptTooLong(str(self), limit)
                parts.append(part)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise RenderError(f"prompt {self} can't be rendered: {exc}") from exc
        return "".join(parts)


def _text_of(message: Mapping[str, Any], index: int) -> str:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        found = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [text for text in found if isinstance(text, str)]
        if len(texts) == len(content):
            return "\n".join(texts)
    raise InvalidMessage(index, str(message.get("role")))


def _problems(document: PromptDocument, text: str) -> list[Problem]:
    lines = lines_of(text)
    rows = text.splitlines()
    problems: list[Problem] = []
    used: set[str] = set()
    for place, jinja in document.texts().items():
        field = ".".join(str(part) for part in place)
        first = lines[place] + rows[lines[place] - 1].rstrip().endswith(("|", "|-", "|+"))
        uses, flaws = inspect(jinja)
        used.update(use.name for use in uses)
        problems += [Problem(first + flaw.line - 1, field, flaw.message) for flaw in flaws]
        problems += [
            Problem(first + use.line - 1, field, f"the variable {use.name!r} is not declared")
            for use in uses
            if use.name not in document.variables
        ]
    for name in document.variables:
        if name not in used:
            line = lines[("variables", name)]
            problems.append(Problem(line, f"variables.{name}", "is declared and never used"))
    for index, message in enumerate(document.messages):
        if message.role == "system" and index > 0:
            line = lines[("messages", index)]
            problems.append(Problem(line, f"messages.{index}", "only the first message may be the system's"))
    if not document.messages and not document.examples:
        problems.append(Problem(None, "messages", "a prompt needs a message or an example"))
    return problems
