"""The forms that rows come in, each read into what is learned: a text, a conversation or a preference.

A new format is a ``Form`` in ``conversations`` or ``preferences``, and a name in ``training.recipe.parts``.
"""
