"""The example's handbook under the carried encoder: what a question finds, and what finds nothing."""

import json
from pathlib import Path

import pytest

from chains.index import Found, PassageIndex
from chains.retrieve import RetrieveOptions
from router.encoding.encoder import Encoder

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
QUESTIONS = [
    json.loads(line) for line in (EXAMPLES / "handbook.questions.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def results(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> list[list[Found]]:
    """The passages that each question finds, nearest first."""
    index = PassageIndex.synced(EXAMPLES / "handbook", encoder, tmp_path_factory.mktemp("index"))
    options = RetrieveOptions.model_validate({"documents": EXAMPLES / "handbook"})
    return [
        index.search(encoder.encode([row["question"]]), options.passages, options.threshold)
        for row in QUESTIONS
    ]


@pytest.fixture(scope="module")
def answers(results: list[list[Found]]) -> list[list[tuple[str, str]]]:
    """Document and innermost heading of each."""
    return [
        [(one.passage.document, one.passage.heading.rpartition(" > ")[2]) for one in some] for some in results
    ]


def test_the_right_passage_is_among_those_that_the_model_reads(answers: list[list[tuple[str, str]]]) -> None:
    asked = [(row, found) for row, found in zip(QUESTIONS, answers, strict=True) if row["document"]]
    right = sum((row["document"], row["heading"]) in found for row, found in asked)
    assert len(asked) == 38
    assert right >= 34  # 36 where it was measured


def test_what_the_handbook_does_not_answer_mostly_finds_nothing(answers: list[list[tuple[str, str]]]) -> None:
    strange = [found for row, found in zip(QUESTIONS, answers, strict=True) if not row["document"]]
    assert len(strange) == 28
    assert sum(not found for found in strange) >= 22  # 24 where it was measured


def test_what_is_quoted_stands_in_the_right_passage(results: list[list[Found]]) -> None:
    asked = [(row, found) for row, found in zip(QUESTIONS, results, strict=True) if row["document"]]
    right = 0
    for row, found in asked:
        assert all(one.paragraph in one.passage.text for one in found)
        first = found[0].passage if found else None
        right += first is not None and (row["document"], row["heading"]) == (
            first.document,
            first.heading.rpartition(" > ")[2],
        )
    assert right >= 33  # 35 where it was measured
