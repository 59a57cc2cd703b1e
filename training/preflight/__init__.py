"""What is known before a run: whether it can begin, what it needs, how it is served, which rows it learns.

``check`` is ``pointsman check``, ``preview`` is ``pointsman data preview``. A run imports nothing of it.
"""
