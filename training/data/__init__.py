"""From a recipe's sources to what a trainer reads: files → rows → tokens with a loss mask → batches.

::

    row/        what a row's fields are called, and what each must be
    reading/    sources → rows: files, generators, parts that are read side by side
    formats/    rows in every form that files have → texts, conversations, preferences
    rendering/  a conversation by the base's chat template → token ids and a loss mask
    tokens/     token ids as arrays, and the batches that a trainer is given; knows no text
    preparing/  the whole way, for every row of a recipe: collected, counted, parted

Knows forms of rows, templates and tokenizers; knows no stage, no model and no trainer.
"""
