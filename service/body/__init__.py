"""What must hold of a request's body before any room works on it; all else is vLLM's to accept or refuse.

``known`` for which fields there are, ``kinds`` for what their values are, ``conversation`` for the messages,
``options`` for what stands beside them, ``problems`` for how a field that is wrong is told. Changes with the
API, and knows no HTTP.
"""
