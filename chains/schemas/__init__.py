"""JSON schemas: what an answer is held to, and what the compilers of guides make of it.

``schema`` checks an answer; ``guidable`` is what an engine's guide takes of a schema, ``passed_over`` what
XGrammar would pass over in silence. The other modules are about a keyword or a question each. They know no
engine, no chain and no request.
"""
