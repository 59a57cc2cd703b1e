"""Options of a chain that name files: seen from the folder of the routes file, and checked to be there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, ValidationInfo

from pointsman.core_yaml import read_core

FOLDER = "folder"  # key of the validation's context


def _seen_from(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get(FOLDER, Path())
    return folder / path.expanduser()


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"no such file in {path.parent}")
    return path


def _is_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"no such folder in {path.parent}")
    return path


File = Annotated[Path, AfterValidator(_seen_from), AfterValidator(_is_file)]
Folder = Annotated[Path, AfterValidator(_seen_from), AfterValidator(_is_folder)]


def mapping_in(file: Path) -> dict[str, Any]:
    """What is in ``file``, YAML or JSON, in JSON's types.

    Raises:
        ValueError: it can't be read, or is no mapping.
    """
    try:
        found = read_core(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as exc:
        raise ValueError(f"{file.name} can't be read: {exc}") from exc
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} is no mapping")  # noqa: TRY004  pydantic takes ValueErrors only
    return found


def headers_in(file: Path | None) -> dict[str, str]:
    """The headers in ``file``, names in lower case; none where there is no file.

    Raises:
        ValueError: it can't be read, or a value is no text that a header takes.
    """
    found = {} if file is None else mapping_in(file)
    for name, value in found.items():
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ValueError(f"{file and file.name}: the header {name} must be a text in ASCII, in one line")
    return {str(name).lower(): value for name, value in found.items()}
