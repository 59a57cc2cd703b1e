"""Who goes first: the queue in front of the engine. ``docs/scheduling.md`` explains it.

``gate`` and ``learning`` run it in the event loop; the other modules are pure, every event brings its time.
"""

from __future__ import annotations

from service.admission.gate import Admission

__all__ = ["Admission"]
