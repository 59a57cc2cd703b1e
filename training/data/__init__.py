"""From a recipe's sources to what a trainer reads: files → rows → tokens with a loss mask → batches.

Knows forms of rows, templates and tokenizers; knows no stage, no model and no trainer."""
