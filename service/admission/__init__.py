"""Who goes first: the queue in front of the engine. ``docs/scheduling.md`` explains it.

``scheduler`` and the policies (``affinity``, ``policies``) are pure; ``gate`` runs them in the event loop.
"""

from __future__ import annotations

from service.admission.gate import Admission

__all__ = ["Admission"]
