"""A text becomes vectors: an encoder of sentence-transformers, exported once and run without torch."""
