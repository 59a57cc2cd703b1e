"""Continued pre-training: a base reads new text, and what it gains and what it forgets is measured.

``stage`` and ``learning`` are what a run calls; ``mixture`` reads the texts, ``vocabulary`` adds pieces to
the tokenizer and the weights, ``unfreezing`` releases layers, ``heldout`` measures, ``forgetting`` stops a
run that forgets too much, ``gain`` writes the table and the plot.
"""
