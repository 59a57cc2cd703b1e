"""How often a model makes things up over the example's handbook, with the chain `retrieve` and without it.

Questions that no threshold was chosen on (deploy/examples/handbook.heldout.jsonl), asked of a model that a
gateway serves, or any server of OpenAI's API, at temperature 0:

    python -m deploy.bench.grounded --url http://127.0.0.1:8000/v1 --model support

`answered` are the questions that the handbook answers whose answer holds what it says; `cited` those whose
answer names the passage where that stands; `abstained` the others that get no answer but a word that it is
not known. What stands in an answer is looked for by words, so read some: `--show` prints them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from chains.direct import Direct
from chains.events import Chain, ChainRequest, Citation, Citations, Content, Raw
from chains.resources import Resources
from chains.retrieve import Retrieve, RetrieveOptions
from router.encoding.encoder import Encoder

EXAMPLES = Path(__file__).parents[1] / "examples"
_ABSTAINS = re.compile(
    r"\b(do not|don't|cannot|can't|can not|unable to) (know|answer|help|find|tell|say)"
    r"|no (tool|information|answer)|not (in|part of) (my|the) (documents|passages)|can only help|out of my",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Server:
    """A model at a server of OpenAI's API, as a chain's engine."""

    client: httpx.AsyncClient
    model: str

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer."""
        answer = await self.client.post("chat/completions", json={**body, "model": self.model})
        answer.raise_for_status()
        return answer.content

    def stream(self, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Nothing here asks for one."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a question, and which passages it names."""

    text: str
    cited: tuple[Citation, ...] = ()

    def holds(self, facts: list[str]) -> bool:
        """Whether each fact, in one of its wordings, stands in it."""
        plain = self.text.lower()
        return all(re.search(rf"(?<!\w)(?:{_any_of(fact)})(?!\w)", plain) for fact in facts)

    def cites(self, row: Mapping[str, Any]) -> bool:
        """Whether it names the passage that answers the question of ``row``."""
        places = ((one.document, one.heading.rpartition(" > ")[2]) for one in self.cited)
        return (row["document"], row["heading"]) in places

    @property
    def abstains(self) -> bool:
        return _ABSTAINS.search(self.text) is not None


def _any_of(fact: str) -> str:
    return "|".join(map(re.escape, fact.split("|")))


def held_out() -> list[dict[str, Any]]:
    """The questions, with place and facts of what answers them; ``document`` is None where nothing does."""
    lines = (EXAMPLES / "handbook.heldout.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def counted(rows: list[dict[str, Any]], answers: list[Answer]) -> dict[str, tuple[int, int]]:
    """How many of how many are right, by measure."""
    told = list(zip(rows, answers, strict=True))
    known = [(row, answer) for row, answer in told if row["document"]]
    strange = [answer for row, answer in told if not row["document"]]
    return {
        "answered": (sum(answer.holds(row["answer"]) for row, answer in known), len(known)),
        "cited": (sum(answer.cites(row) for row, answer in known), len(known)),
        "abstained": (sum(answer.abstains for answer in strange), len(strange)),
    }


async def answer_of(chain: Chain, engine: Server, question: str) -> Answer:
    """The answer of ``chain`` to ``question``."""
    request = ChainRequest(
        [{"role": "user", "content": question}], {"temperature": 0, "max_tokens": 256}, stream=False
    )
    text, cited = "", tuple[Citation, ...]()
    async for event in chain.run(request, engine):
        if isinstance(event, Raw):
            text += json.loads(event.data)["choices"][0]["message"]["content"] or ""
        elif isinstance(event, Content):
            text += event.text
        elif isinstance(event, Citations):
            cited = event.cited
    return Answer(text, cited)


async def measure(url: str, model: str, key: str, *, exports: Path | None, show: bool) -> None:
    """Print a row for each way to answer."""
    rows = held_out()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = Resources(Encoder.load(folder=exports), Path(folder))
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits) as client:
            for name, chain in ways(resources).items():
                engine = Server(client, model)
                answers = await asyncio.gather(*(answer_of(chain, engine, row["question"]) for row in rows))
                print(
                    name, *(f"{what} {n} of {m}" for what, (n, m) in counted(rows, answers).items()), sep="; "
                )
                for row, answer in zip(rows, answers, strict=True) if show else ():
                    print(f"  {row['question']} → {answer.text!r}")


def ways(resources: Resources) -> dict[str, Chain]:
    """The chains that are compared, ready to run."""
    found: dict[str, Chain] = {"without": Direct()}
    for answer in ("model", "quote"):
        options = {"documents": EXAMPLES / "handbook", "answer": answer}
        chain = found[f"retrieve, answer: {answer}"] = Retrieve(RetrieveOptions.model_validate(options))
        chain.warm(resources)
    return found


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="ends with /v1")
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", default="", help="of the server, where it wants one")
    parser.add_argument("--exports", type=Path, help="where a gateway keeps its encoder: <state>/router")
    parser.add_argument("--show", action="store_true", help="print every answer")
    given = parser.parse_args()
    asyncio.run(measure(given.url, given.model, given.key, exports=given.exports, show=given.show))


if __name__ == "__main__":
    main()
