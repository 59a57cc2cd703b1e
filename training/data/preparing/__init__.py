"""All rows of a recipe as tokens: read, rendered, counted, mixed, and parted for evaluation."""
