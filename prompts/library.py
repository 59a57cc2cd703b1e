"""A folder of prompt templates, by name and version.

The files are ``<name>.yaml`` or ``<name>@<version>.yaml``; versions of one name live side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pointsman.document import DocumentError, read
from pointsman.problems import Problem
from prompts.errors import LibraryError, PromptNotFound
from prompts.template import PromptTemplate


class PromptLibrary:
    """Templates that were all found good together; never changed after it is made."""

    def __init__(self, templates: Iterable[PromptTemplate]) -> None:
        self._by_name: dict[str, dict[str, PromptTemplate]] = {}
        for template in templates:
            self._by_name.setdefault(template.name, {})[template.version] = template

    @classmethod
    def load(cls, folder: Path | str) -> PromptLibrary:
        """Every template of ``folder``.

        Raises:
            LibraryError: a DocumentError with all problems of all files; also if there is no file.
        """
        folder = Path(folder)
        paths = sorted(path for path in folder.glob("*.yaml") if path.is_file())
        if not paths:
            message = "holds no prompt (*.yaml)" if folder.is_dir() else "no such folder"
            raise LibraryError(folder, [DocumentError(folder, [Problem(None, "", message)])])
        found: dict[tuple[str, str], Path] = {}
        templates: list[PromptTemplate] = []
        errors: list[DocumentError] = []
        for path in paths:
            try:
                template = PromptTemplate.read(read(path), path)
                _check_name(template, path)
                first = found.setdefault((template.name, template.version), path)
                if first != path:
                    twice = Problem(None, "version", f"{template} is also given by {first.name}")
                    raise DocumentError(path, [twice])
                templates.append(template)
            except DocumentError as exc:
                errors.append(exc)
        if errors:
            raise LibraryError(folder, errors)
        return cls(templates)

    def joined(self, more: Iterable[PromptTemplate]) -> PromptLibrary:
        """This library with templates from elsewhere.

        Raises:
            LibraryError: one has a name and version that is there already.
        """
        known = [one for versions in self._by_name.values() for one in versions.values()]
        names, errors, added = {str(one) for one in known}, list[DocumentError](), list[PromptTemplate]()
        for template in more:
            if str(template) in names:
                twice = Problem(None, "version", f"{template} is there already; give it another version")
                errors.append(DocumentError(template.name, [twice]))
            names.add(str(template))
            added.append(template)
        if errors:
            raise LibraryError(Path("prompts"), errors)
        return PromptLibrary([*known, *added])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the templates, sorted."""
        return tuple(sorted(self._by_name))

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of ``name``, oldest first.

        Raises:
            PromptNotFound: no template has that name.
        """
        if name not in self._by_name:
            raise PromptNotFound(name, self.names)
        return tuple(sorted(self._by_name[name], key=_age))

    def get(self, name: str) -> PromptTemplate:
        """The template ``name@version``, or the newest version of ``name``.

        Raises:
            PromptNotFound: no such template.
        """
        base, _, version = name.partition("@")
        versions = self.versions(base)
        if version and version not in versions:
            raise PromptNotFound(name, [f"{base}@{known}" for known in versions])
        return self._by_name[base][version or versions[-1]]


def _check_name(template: PromptTemplate, path: Path) -> None:
    name, _, version = path.stem.partition("@")
    problems = []
    if template.name != name:
        problems.append(Problem(None, "name", f"must be {name!r} as the file is, found {template.name!r}"))
    if version and template.version != version:
        problems.append(
            Problem(None, "version", f"must be {version!r} as the file is, found {template.version!r}")
        )
    if problems:
        raise DocumentError(path, problems)


def _age(version: str) -> tuple[list[tuple[int, int, str]], str]:
    """Orders versions as people do: 9 before 10, 1.9 before 1.10, and a number after a word."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], version
