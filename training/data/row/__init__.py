"""A row as an object with fields: what they are called, here and by others, and what each must be."""
