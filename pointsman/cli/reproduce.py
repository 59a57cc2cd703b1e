"""``pointsman adapters reproduce``: train once more what a manifest says, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, KeyFileOption, UrlOption
from pointsman.cli.provenance import NameArgument, shown
from pointsman.cli.terminal import REFUSED, err, fail, reported, say
from pointsman.cli.train import RunsOption

if TYPE_CHECKING:
    from training.release.comparison import Comparison

UNLIKE = 3  # the status where something else came out


def reproduce(
    name: NameArgument,
    *,
    tolerance: Annotated[
        float, typer.Option(min=0, help="By what share a metric may differ where the bytes do.")
    ] = 0.02,
    runs: RunsOption = Path("runs"),
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Train a version again from the recipe in its manifest, and say what came out differently.

    What goes in differently is told too: rows, base, code, libraries. On another kind of machine the last
    bits of the weights differ, so metrics are compared where the bytes are not the same. Killed and started
    again it goes on; ends with 0 if the same came out or every metric lies within `--tolerance`, else with 3.

    Example: `pointsman adapters reproduce support@1f0c9a7be2d4`
    """
    from pointsman.artefact import WEIGHTS, ArtefactError, Manifest, read_manifest
    from pointsman.cli.release import trained
    from pointsman.document import DocumentError
    from service.settings import Settings
    from training.errors import TrainingError
    from training.release.comparison import compare

    found = shown(name, url, config, key_file)
    if found["manifest"] is None:
        fail(f"{name} is retired, and its manifest is gone with its copy; register its folder again", REFUSED)
    manifest = Manifest.model_validate(found["manifest"])
    if not manifest.recipe or manifest.converted_from:
        why = "was converted, not trained" if manifest.converted_from else "holds no recipe"
        fail(f"{name} can't be trained again: it {why}", REFUSED)
    alias, _, version = name.partition("@")
    recipe = _written(manifest.recipe, f"reproduce-{alias}-{version}", runs)
    with reported(TrainingError, ArtefactError, DocumentError, OSError):
        folder = trained(recipe, runs)
        copy = Settings.load(config).state / "adapters" / name / WEIGHTS
        if not copy.is_file():
            err().print(
                f"the weights of {name} are not on this machine: only hashes are compared", style="dim"
            )
        again = read_manifest(folder)
        compared = compare(manifest, version, again, folder, copy if copy.is_file() else None)
    _tell(name, compared, folder)
    if not compared.close(tolerance):
        say(f"not the same: a metric differs by more than {tolerance:.2%}")
        raise typer.Exit(UNLIKE)


def _written(recipe: dict[str, Any], name: str, runs: Path) -> Path:
    from pointsman.core_yaml import write_core

    path = runs / name / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_core({**recipe, "name": name}), "utf-8")
    return path


def _tell(name: str, compared: Comparison, folder: Path) -> None:
    for sentence in compared.unlike:
        say(f"goes in differently: {sentence}")
    for metric in compared.metrics:
        say(f"{metric.name}: {metric.first}, now {metric.second}")
    if compared.same_version:
        say(f"{folder}: the same bytes as {name}")
    elif compared.largest is None:
        say(f"{folder}: other bytes than {name}")
    else:
        say(
            f"{folder}: other bytes than {name}; the numbers lie at most {compared.largest:.2e} of the "
            "largest apart"
        )
