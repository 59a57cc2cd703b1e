"""Options of a chain that name files: seen from the folder of the routes file, and checked to be there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

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
