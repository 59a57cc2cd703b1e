"""For vLLM's plugin of guides: each answer is guided by the compiler that was chosen for it.

vLLM's ``auto`` chooses by request: XGrammar, or llguidance where XGrammar can't hold a schema. It checks the
schema with that one, and then compiles with the one that happened to be asked for first since the engine's
start. So a schema that is meant for llguidance is compiled by XGrammar, which passes over what it can't hold.
Here both are kept, and what is chosen is what compiles.

Of the keywords that XGrammar passes over vLLM knows fewer than :mod:`chains.schemas.passed_over`, which
takes the place of its list. It says that llguidance has no patterns of properties; those are llguidance's to
refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from types import SimpleNamespace
from typing import Any

from chains.schemas.passed_over import passed_over

Create = Callable[[Any, Any], Any]


def register() -> None:
    """Have vLLM choose by what is held, and compile with what it chose."""
    from vllm.v1.structured_output import StructuredOutputManager, backend_guidance, backend_xgrammar

    guidance: Any = backend_guidance
    xgrammar: Any = backend_xgrammar
    manager: Any = StructuredOutputManager
    xgrammar.has_xgrammar_unsupported_json_features = is_passed_over
    guidance.has_guidance_unsupported_json_features = takes_all
    kinds = {"xgrammar": xgrammar.XgrammarBackend, "guidance": guidance.GuidanceBackend}
    manager._create_grammar = Chosen(manager._create_grammar, kinds).method()


def is_passed_over(schema: Any) -> bool:
    """Whether XGrammar would pass over a keyword of ``schema``."""
    return next(passed_over(schema), None) is not None


def takes_all(schema: Any) -> bool:
    """Whether llguidance is not to be asked: it always is, and refuses what it can't hold."""
    return False


class Chosen:
    """Compiles what each request asks for with its own compiler, which is made when it is first asked for."""

    def __init__(self, create: Create, kinds: Mapping[str, Callable[..., Any]]) -> None:
        """``create``: vLLM's method, which compiles by its object's ``backend``; ``kinds`` by their names."""
        self._create = create
        self._kinds = kinds
        self._lock = Lock()  # grammars are made in threads

    def grammar(self, manager: Any, request: Any) -> Any:
        """The grammar of ``request``.

        Raises:
            ValueError: its compiler's masks are not as wide as the engine's.
            Exception: what its compiler does.
        """
        kind = self._kinds.get(request.sampling_params.structured_outputs._backend)
        if kind is None or type(manager.backend) is kind:
            return self._create(manager, request)
        return self._create(SimpleNamespace(backend=self._other(manager, kind)), request)

    def method(self) -> Create:
        """:meth:`grammar` as a method of vLLM's class."""

        def create(manager: Any, request: Any) -> Any:
            return self.grammar(manager, request)

        return create

    def _other(self, manager: Any, kind: Callable[..., Any]) -> Any:
        with self._lock:
            others: dict[Any, Any] = manager.__dict__.setdefault("other_backends", {})
            if kind not in others:
                size = manager.vllm_config.model_config.get_vocab_size()
                other = kind(manager.vllm_config, tokenizer=manager.tokenizer, vocab_size=size)
                widths = [
                    _width(manager.backend),
                    _width(other),
                ]  # the engine's loop breaks where they differ
                if len(set(widths)) > 1:
                    raise ValueError(f"masks of {widths[0]} words in use, and {widths[1]} for this schema")
                others[kind] = other
            return others[kind]


def _width(backend: Any) -> int:
    """The words of 32 tokens in a mask of ``backend``."""
    return int(backend.allocate_token_bitmask(1).shape[1])
