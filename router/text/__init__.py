"""What can be told of a text without a model: its turns, sentences, orders, slips; and patterns on it."""
