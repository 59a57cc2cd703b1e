"""Releases: train, register, evaluate, gate, canary and promote, each step recorded and resumable."""
