"""Pointsman beside the vLLM that it speaks to: both endpoints of one engine, asked in turn.

``python -m deploy.bench.beside --help``. ``make bench-serving`` runs it on the CPU with the demo's base,
``deploy/gpu/bench.sh`` on a GPU with weights of a real shape that are drawn at random: for speed they are as
good as trained ones.
"""
