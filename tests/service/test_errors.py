"""The table of errors has a row for every class, and tells no more than it should."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import orjson
import pytest
from starlette.exceptions import HTTPException

import service
from chains import errors as chains
from pointsman import document
from prompts import errors as prompts
from router import errors as router
from service import errors as service_errors
from service.api.errors import TABLE, tell
from service.errors import EngineRefused, EngineUnavailable, InvalidRequest, RoutesRejected

INSIDE = {
    chains.ToolFailure,
    chains.ArgumentsWrong,
    chains.ToolErred,
    chains.ToolOutOfOrder,
    chains.Unanswered,
    chains.ToolGivenUp,
    chains.ResultsTooLong,
    chains.StepsExhausted,
    chains.Refused,
    chains.ContextFull,
}  # never leave a chain; a base


def errors_in(module: ModuleType) -> set[type[Exception]]:
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
    }


def descendants(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))


def test_every_error_has_a_row() -> None:
    for info in pkgutil.walk_packages(service.__path__, "service."):
        importlib.import_module(info.name)  # so that errors defined anywhere in the room are known
    found = {service_errors.ServiceError, chains.ChainError, prompts.PromptError, router.RouterError}
    named = {kind for root in found for kind in descendants(root) if not kind.__module__.startswith("tests")}
    for module in (service_errors, chains, prompts, router, document):
        named |= errors_in(module)
    assert named - INSIDE - set(TABLE) == set()


def test_rows_are_of_errors_that_exist() -> None:
    known = set[type[Exception]]()
    for module in (service_errors, chains, prompts, router, document):
        known |= errors_in(module)
    assert set(TABLE) <= known


def test_what_a_broken_chain_says_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    told = tell(chains.ChainBroken("mine", "mine:Mine", "RuntimeError: boom secret"), "request-1")
    assert (told.status, told.code) == (500, "configuration_error")
    error = orjson.loads(told.body)["error"]
    assert error["message"] == "the chain 'mine' can't be used; the log says why, under the request request-1"
    assert "request request-1: the chain 'mine'" in caplog.text
    assert "RuntimeError: boom secret" in caplog.text


def test_statuses_are_client_or_server_errors_and_types_agree() -> None:
    for kind, row in TABLE.items():
        assert 400 <= row.status < 600, kind
        assert (row.type == "server_error") == (row.status >= 500), kind


def told(error: Exception) -> tuple[int, dict[str, object], dict[bytes, bytes]]:
    found = tell(error, "request-1")
    return found.status, orjson.loads(found.body)["error"], dict(found.headers)


def test_parameter_retry_after_and_problems_are_told() -> None:
    status, error, _ = told(InvalidRequest("messages must be a list", "messages"))
    assert (status, error["param"], error["message"]) == (400, "messages", "messages must be a list")
    status, _, headers = told(EngineUnavailable("restarting", retry_after=7))
    assert (status, headers[b"retry-after"]) == (503, b"7")
    status, error, _ = told(RoutesRejected(["a.yaml:1: x", "b.yaml:2: y"]))
    assert (status, error["problems"]) == (422, ["a.yaml:1: x", "b.yaml:2: y"])


@pytest.mark.parametrize(("engine", "status"), [(400, 400), (413, 400), (422, 400), (500, 502)])
def test_the_engines_status(engine: int, status: int) -> None:
    found, error, _ = told(EngineRefused(engine, "in the engine's words"))
    assert found == status
    assert ("in the engine's words" in str(error["message"])) == (status == 400)


def test_what_is_unknown_is_not_told() -> None:
    status, error, _ = told(ZeroDivisionError("secret"))
    assert status == 500
    assert "secret" not in str(error)
    assert "request-1" in str(error["message"])


def test_starlettes_own_keep_their_status_and_headers() -> None:
    status, error, headers = told(HTTPException(405, "no", {"Allow": "GET"}))
    assert (status, error["code"], headers[b"allow"]) == (405, "method_not_allowed", b"GET")
