"""Pointsman measured beside what else people use, on public data; nothing of it is part of the service."""
