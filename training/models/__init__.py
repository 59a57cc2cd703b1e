"""Models as folders: a base and its tokenizer, a reward model; and the log-probability of an answer."""
