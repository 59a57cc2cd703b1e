"""The result of a run, opened to be converted: its recipe, its data, its own model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pointsman import artefact
from pointsman.artefact import Manifest
from training.convert.route import Convertible, gives_base, method
from training.data.preparing.collection import Prepared, Report
from training.errors import ConversionError
from training.methods import adapter_files, choice, lora
from training.models import base
from training.recipe import STAGES, CptRecipe, OnlineRecipe
from training.stages import prepared

_REFUSED = {  # stage → why its results are not converted
    "rm": "a reward model scores answers for ppo and grpo, and no server answers by it",
    "quantize": "a base of {bits} bits is served as it is. Convert a result of the base that it was made "
    "from, and quantise what becomes of that",
    "router": "it is an encoder, which the router reads by the settings' router.encoder",
}


@dataclass(frozen=True, slots=True)
class Result:
    """An adapter or a base that a run has made, and what belongs to it."""

    folder: Path
    manifest: Manifest
    recipe: Convertible

    @property
    def version(self) -> str:
        """``alias@version``; the alias alone where the result is a base."""
        if gives_base(self.recipe):
            return self.manifest.alias
        return f"{self.manifest.alias}@{artefact.version_of(self.folder)}"

    @property
    def tokenizer(self) -> str:
        """Where its tokenizer is: the base's, or its own, to which cpt may have added pieces."""
        own = isinstance(self.recipe, CptRecipe) and gives_base(self.recipe)
        return str(self.folder) if own else str(self.recipe.base)

    def model(self) -> Any:
        """The method's own model, as it was evaluated at the end of its run."""
        if gives_base(self.recipe):
            return base.load_model(str(self.folder)).eval()
        if isinstance(self.recipe, OnlineRecipe):
            return lora.load(base.load_model(self.recipe.base), self.folder)
        return lora.load(choice.plain_base(self.recipe), self.folder)

    def merged_model(self) -> Any:
        """A base with what was learned in its weights; an adapter is merged into the base as it was."""
        if gives_base(self.recipe):
            return self.model()
        return lora.merged(lora.load(base.load_model(str(self.recipe.base)), self.folder))

    def base_model(self) -> Any:
        """The base that it was trained on."""
        return base.load_model(str(self.recipe.base)).eval()

    def rows(self, report: Report) -> Prepared[Any]:
        """The run's rows, or its prompts.

        Raises:
            ConversionError: they are others by now.
        """
        found = prepared(self.recipe, self.tokenizer, report)
        if changed := [
            name for name, digest in found.hashes.items() if self.manifest.data.get(name) != digest
        ]:
            raise ConversionError(
                f"{', '.join(changed)} holds other rows than {self.folder} was trained on; what is held out "
                "of them may have been learned, so no error can be measured. Put the run's rows back"
            )
        return found


def opened(folder: Path) -> Result:
    """The artefact in ``folder``.

    Raises:
        ArtefactError: it has no readable manifest.
        AdapterError: its files are broken, or its weights are not those that its configuration says.
        ConversionError: it is neither an adapter nor a base of full precision that a run has made, or its
            base is not what it was.
    """
    manifest = artefact.read_manifest(folder)
    if manifest.stage in _REFUSED:
        why = _REFUSED[manifest.stage].format(bits=manifest.recipe.get("bits", "few"))
        raise ConversionError(f"{folder} is a result of stage {manifest.stage}, which has no way: {why}")
    if manifest.converted_from:
        raise ConversionError(
            f"{folder} was made of a result of the method {manifest.converted_from} by a conversion; "
            "convert the original"
        )
    recipe = _recipe(folder, manifest)
    identity = None if recipe.base is None else base.identify(recipe.base)
    if manifest.base != identity:
        raise ConversionError(
            f"{recipe.base} is not the base that {folder} was trained on; put that one back in its place"
        )
    if not gives_base(recipe):
        parts = [folder, folder / choice.PISSA_START] if method(recipe) == "pissa" else [folder]
        for part in parts:
            adapter_files.require(base.load_outline(str(recipe.base)), part, "adapter")
    return Result(folder, manifest, recipe)


def _recipe(folder: Path, manifest: Manifest) -> Convertible:
    """What it was trained by; raises ConversionError as :func:`opened`."""
    model = STAGES.get(manifest.stage)
    if model is None:
        raise ConversionError(
            f"{folder} is of the stage {manifest.stage!r}, which there is not; results of "
            f"{', '.join(stage for stage in STAGES if stage not in _REFUSED)} are converted"
        )
    try:
        recipe = model.model_validate(manifest.recipe)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise ConversionError(
            f"{folder}/{artefact.MANIFEST}: its recipe can't be read ({first['msg']}); it may be of another "
            "release"
        ) from exc
    assert isinstance(recipe, Convertible)
    return recipe
