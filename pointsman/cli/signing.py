"""``pointsman adapters key`` and ``sign``: who vouches for an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.terminal import err, reported, say


def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; never over one.")],
) -> None:
    """Make an ed25519 key for signing artefacts, and print its public half.

    A gateway whose settings have that under `adapters.trusted_keys` serves only what such keys have signed.

    Example: `pointsman adapters key ~/release.key`
    """
    from pointsman.signing import SigningError, make_key

    with reported(SigningError):
        public = make_key(file)
    err().print(f"{file} is the private key: who has it can sign; keep it off the gateway", style="dim")
    say(public)


def sign(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An artefact, as `train` writes it.")],
    *,
    key_file: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The private key, as `adapters key` made it.")
    ],
) -> None:
    """Sign an artefact: weights, config and manifest. Its signature.json goes where it goes.

    A release signs by itself with `sign: FILE` in its recipe.

    Example: `pointsman adapters sign runs/support-60-days/artefact --key ~/release.key`
    """
    from pointsman.artefact import ArtefactError, version_of
    from pointsman.signing import SigningError
    from pointsman.signing import sign as signed

    with reported(SigningError, ArtefactError):
        public = signed(folder, key_file)
        version = version_of(folder)
    say(f"{folder}: version {version}, signed by {public}")
