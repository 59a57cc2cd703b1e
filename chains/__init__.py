"""Chains: ways to turn a rendered conversation into a good answer. They know no HTTP and no adapter.

``registry.chain_by_name`` gives a chain; ``events`` says what it needs and what it gives. Heavy libraries
are imported when a chain first runs, or by its ``warm``. ``schemas`` reads what an answer is held to.
"""
