"""What counts as answered, cited and abstained where a model is asked about the example's handbook."""

from chains.events import Citation
from deploy.bench.grounded import EXAMPLES, Answer, counted, held_out

ROW = {
    "question": "How long?",
    "document": "a.md",
    "heading": "Time",
    "answer": ["two to four|2 to 4", "days"],
}
STRANGE = {"question": "Who?", "document": None}
PLACE = Citation(1, "a.md", "Delivery > Time", "It takes two to four days.")


def test_an_answer_is_right_by_its_facts_cited_by_its_place_and_held_back_by_its_words() -> None:
    said = [
        Answer("Two to four days [1].", (PLACE,)),
        Answer("2 to 4 days."),
        Answer("12 to 4 days [1].", (Citation(1, "a.md", "Delivery", ""),)),
    ]
    strange = [Answer("I do not know: nothing in my documents answers this."), Answer("Ann did.")]
    assert counted([ROW, ROW, ROW, STRANGE, STRANGE], said + strange) == {
        "answered": (2, 3),
        "cited": (1, 3),
        "abstained": (1, 2),
    }


def test_every_question_that_has_an_answer_names_a_passage_whose_words_it_asks_for() -> None:
    for row in held_out():
        if row["document"] is None:
            continue
        text = (EXAMPLES / "handbook" / row["document"]).read_text("utf-8")
        passage = text.partition(f"## {row['heading']}\n")[2].partition("\n## ")[0]
        assert Answer(passage).holds(row["answer"]), row["question"]
