"""What must hold of a request's body before any room works on it; all else is vLLM's to accept or refuse.

``conversation`` for its messages, ``options`` and ``reserved`` for what stands beside them, ``problems`` for
how a field that is wrong is told. Changes with the API, and knows no HTTP.
"""
