"""The log of decisions: what is kept of a request, and how it is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from pointsman.document import DocumentError
from router.deciding.decision import Decision
from router.deciding.rules import Fired
from service.kept.decisions import FILE, DecisionLog, logged_texts
from service.settings import Settings
from tests.service.conftest import Running
from tests.service.parts import write_settings

DECISION = Decision("refund", 0.91239, False, (("refund", 0.91239), ("customs", 0.05)), 0.5, (), "money back")


def lines_of(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def test_requests_are_logged_without_their_text_and_explanations_are_not(running: Running) -> None:
    await running.ask("where is my parcel")
    await running.http.post("/v1/completions", json={"model": "auto", "prompt": "what is 12 plus 30"})
    await running.ask("where is my parcel", model="support")
    await running.http.post("/v1/route", json={"text": "where is my parcel"})
    lines = lines_of(running.folder / "state" / FILE)
    assert [line["intent"] for line in lines] == ["track_parcel", "arithmetic"]
    assert lines[0].keys() == {"time", "intent", "confidence", "threshold", "top", "rule"}


def test_the_settings_say_what_is_kept(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, "http://127.0.0.1:1")
    assert settings.router.decision_log == "decisions"
    path = tmp_path / "pointsman.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("routes.yaml}", "routes.yaml, decision_log: texts}"), "utf-8")
    assert Settings.load(path).router.decision_log == "texts"
    path.write_text(text.replace("routes.yaml}", "routes.yaml, decision_log: all}"), "utf-8")
    with pytest.raises(DocumentError, match=r"decision_log.*'texts'"):
        Settings.load(path)


def test_the_log_is_for_this_user_only(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path, "texts")
    log.write(DECISION)
    log.close()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_texts_are_counted_newest_first(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "state", "texts")
    by_rule = replace(DECISION, text="a rule's", rule=Fired("r", "refund", "x"))
    for decision in (
        DECISION,
        by_rule,
        replace(DECISION, text="newer"),
        DECISION,
        replace(DECISION, text=""),
    ):
        log.write(decision)
    log.close()
    path = tmp_path / "state" / FILE
    path.rename(path.with_name(f"{FILE}.1"))  # as when it is turned over
    log.write(replace(DECISION, text="newest\nof\u2028all"))
    log.close()
    with path.open("ab") as file:
        file.write(b'{"text": "cut o')
    texts, decisions = logged_texts(tmp_path / "state")
    assert list(texts.items()) == [("newest\nof\u2028all", 1), ("money back", 2), ("newer", 1)]
    assert decisions == 6
    assert lines_of(path.with_name(f"{FILE}.1"))[1]["rule"] == "r"


def test_nothing_is_written_where_it_is_off(tmp_path: Path) -> None:
    DecisionLog(tmp_path / "state", "off").write(DECISION)
    assert not (tmp_path / "state").exists()
    assert logged_texts(tmp_path / "state") == ({}, 0)
