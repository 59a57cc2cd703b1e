"""From a recipe's sources to rows: what is in a file, what a generator writes, on all cores."""
