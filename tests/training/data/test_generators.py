"""Generators in a recipe's sources that can't be had or that fail: an error that names them, in check too."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.test_run import quiet
from training.data.formats import learned
from training.data.reading import sources, workers
from training.errors import BadRows, SourceError
from training.preflight import check
from training.recipe import GeneratorSource

HERE = "tests.training.generators"


def read(name: str, **arguments: Any) -> object:
    source = GeneratorSource(generator=name, rows=3, arguments=arguments)
    return learned.read(sources.parts(source, 0)[0], "sft")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("raises_at_once", {}, r"raises_at_once\(\): failed: KeyError: 'colour'$"),
        ("raises_later", {}, r"raises_later\(\): failed behind row 2: ZeroDivisionError: division by zero$"),
        ("forgets_to_return", {}, r"must give rows to go through, gave NoneType$"),
        ("refuses", {"colour": "red"}, r"refuses\(colour=red\): no colour 'red'$"),
        ("refuses", {"shade": "red"}, r"does not take these arguments: .*colour"),
        ("refuses", {"seed": 5}, r"does not take these arguments: .*seed"),
    ],
)
def test_a_generator_that_fails_is_named(name: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(SourceError, match=told):
        read(f"{HERE}:{name}", **arguments)


def test_rows_that_are_none_are_bad_rows() -> None:
    with pytest.raises(BadRows, match="row 1: "):
        read(f"{HERE}:gives_words")


@pytest.mark.parametrize("name", ["..:rows", ".:rows", "a..b:rows", "1a:rows"])
def test_what_is_no_modules_name_is_told(name: str) -> None:
    with pytest.raises(SourceError, match="is no module's name; it must be package"):
        read(name)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nowhere_to_be_found", "can't be imported: No module named 'nowhere_to_be_found'"),
        ("{}['colour']", "can't be imported: KeyError: 'colour'"),
        ("def (", "can't be imported: SyntaxError: "),
        ("None.colour", "can't be imported: AttributeError: 'NoneType' object has no attribute 'colour'"),
        ("", r"failing_\d+ has no 'rows'"),
        ("raise SystemExit(3)", "can't be imported: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    name = f"failing_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceError, match=told):
        read(f"{name}:rows")


def test_a_module_in_the_working_folder_is_found_also_by_worker_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "written_here.py").write_text(
        "from tests.training.rows import said\n\n\n"
        "def rows(rows, seed):\n    return [said('red', 'blue') for _ in range(rows)]\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert len(cast("list[Any]", read("written_here:rows"))) == 3
    monkeypatch.setattr(sources, "PART_ROWS", 2)
    parts = sources.parts(GeneratorSource(generator="written_here:rows", rows=4), 0)
    found = workers.results(partial(learned.read, stage="sft"), parts)
    assert [len(rows) for _, rows in found] == [2, 2]
    with pytest.raises(SourceError, match=rf"'not_here'; it must be installed, or stand in {tmp_path}"):
        read("not_here:rows")


def test_the_check_says_it_of_every_stage(recipe: Recipe, online: Online) -> None:
    failing = [{"generator": f"{HERE}:raises_at_once", "rows": 3}]
    for path in (
        recipe(**{"data.sources": failing}),
        recipe(stage="rm", name="b", alias="b", **{"data.sources": failing}),
        online("grpo", name="c", **{"data.sources": failing}),
    ):
        with pytest.raises(SourceError, match="failed: KeyError: 'colour'"):
            check.check(path, [], quiet)
