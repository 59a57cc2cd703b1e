"""Token ids with their loss mask as arrays, and the batches made of them: packed or padded. Knows no text."""
