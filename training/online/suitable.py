"""Whether the server of a recipe can sample for it, as far as is seen before a model is loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pointsman import artefact
from pointsman.artefact import ArtefactError
from training import problems
from training.data.preparing.collection import Prepared
from training.errors import RolloutError
from training.models import base
from training.online.engine import Engine, Served
from training.online.prompts import Asked
from training.recipe import OnlineRecipe, Server
from training.served import transport


def require(recipe: OnlineRecipe, prompts: Prepared[Asked] | None) -> None:
    """Make sure that the recipe's server, if it names one, is there, takes adapters, and fits.

    Args:
        recipe: what is to be trained.
        prompts: what it is asked; None where they could not be read.

    Raises:
        RolloutError: it does not answer, takes no adapters, serves another base (where its files are seen
            here), or fewer tokens than a prompt and its answer have.
    """
    if recipe.server is None:
        return
    url = recipe.server.url
    served = asyncio.run(_look(recipe.server))
    if _is_other(served.root, recipe.base):
        raise RolloutError(
            f"{url} serves {served.root}, which is another base than the recipe's, {recipe.base}; start it "
            "with that one"
        )
    if prompts is None:
        return
    longest = max(prompts.train.longest, prompts.validation.longest)
    answer = recipe.sampling.max_new_tokens
    if longest + answer > served.longest:
        raise RolloutError(
            f"{url} takes {served.longest} tokens at once, and the longest prompt has {longest}, beside "
            f"{answer} of its answer (sampling.max_new_tokens); start it with --max-model-len "
            f"{longest + answer}, or lower data.max_tokens or sampling.max_new_tokens"
        )


async def _look(server: Server) -> Served:
    brief = server.model_copy(update={"timeout": min(server.timeout, transport.LOOK_SECONDS)})
    async with Engine(brief, concurrency=1, attempts=1) as engine:
        return await engine.look()


def _is_other(root: str, name: str) -> bool:
    """Whether the base in ``root`` is seen here, and is neither ``name`` nor quantised from it."""
    theirs, ours = Path(root), Path(name)
    if not (theirs.is_dir() and ours.is_dir()) or theirs.resolve() == ours.resolve():
        return False
    mine, broken = problems.tried(base.identify, name)
    if broken or problems.tried(base.identify, root)[0] == mine:
        return False  # what is wrong with the recipe's own base is said of that
    try:
        made = artefact.read_manifest(Path(root))
    except ArtefactError:
        return True
    return made.stage != "quantize" or made.base != mine
