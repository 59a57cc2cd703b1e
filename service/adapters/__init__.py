"""Versions of adapters: checked, registered, loaded, proved, leased, promoted and taken back."""

from __future__ import annotations

from service.adapters.adapters import Adapters
from service.adapters.checks import Checked
from service.adapters.leases import Lease
from service.adapters.version import VersionInfo

__all__ = ["Adapters", "Checked", "Lease", "VersionInfo"]
