"""The result of a run, opened to be converted: its recipe, its data, its own model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pointsman import artefact
from pointsman.artefact import Manifest
from training.data import prepare_rows
from training.data.collection import Prepared, Report
from training.data.token_rows import TokenRows
from training.errors import ConversionError
from training.methods import adapter_files, choice, lora
from training.models import base
from training.recipe import SftRecipe


@dataclass(frozen=True, slots=True)
class Result:
    """An artefact of stage sft and what belongs to it."""

    folder: Path
    manifest: Manifest
    recipe: SftRecipe

    @property
    def version(self) -> str:
        """``alias@version``; the alias alone where the result is a base."""
        if self.recipe.method in choice.BASES:
            return self.manifest.alias
        return f"{self.manifest.alias}@{artefact.version_of(self.folder)}"

    def model(self) -> Any:
        """The method's own model, as it was evaluated at the end of its run."""
        return choice.load(self.recipe, self.folder)

    def merged_model(self) -> Any:
        """A base with what was learned in its weights; an adapter is merged into the base as it was."""
        if self.recipe.method in choice.BASES:
            return self.model()
        return lora.merged(lora.load(base.load_model(self.recipe.base), self.folder))

    def base_model(self) -> Any:
        """The base that it was trained on."""
        return base.load_model(self.recipe.base).eval()

    def rows(self, report: Report) -> Prepared[TokenRows]:
        """The run's rows.

        Raises:
            ConversionError: they are others by now.
        """
        prepared = prepare_rows.prepare(self.recipe, self.recipe.base, report)
        if changed := [
            name for name, found in prepared.hashes.items() if self.manifest.data.get(name) != found
        ]:
            raise ConversionError(
                f"{', '.join(changed)} holds other rows than {self.folder} was trained on; what is held out "
                "of them may have been learned, so no error can be measured. Put the run's rows back"
            )
        return prepared


def opened(folder: Path) -> Result:
    """The artefact in ``folder``.

    Raises:
        ArtefactError: it has no readable manifest.
        AdapterError: its files are broken, or its weights are not those that its configuration says.
        ConversionError: it is not the result of a run of stage sft, or its base is not what it was.
    """
    manifest = artefact.read_manifest(folder)
    if manifest.stage != "sft":
        raise ConversionError(f"{folder} is a result of stage {manifest.stage}; results of sft are converted")
    if manifest.converted_from:
        raise ConversionError(
            f"{folder} was converted from {manifest.converted_from} before; nothing is left to do"
        )
    try:
        recipe = SftRecipe.model_validate(manifest.recipe)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise ConversionError(
            f"{folder}/{artefact.MANIFEST}: its recipe can't be read ({first['msg']}); it may be of another "
            "release"
        ) from exc
    if manifest.base != base.identify(recipe.base):
        raise ConversionError(
            f"{recipe.base} is not the base that {folder} was trained on; put that one back in its place"
        )
    if recipe.method not in choice.BASES:
        parts = [folder, folder / choice.PISSA_START] if recipe.method == "pissa" else [folder]
        for part in parts:
            adapter_files.require(base.load_outline(recipe.base), part, "adapter")
    return Result(folder, manifest, recipe)
