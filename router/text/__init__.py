"""What can be told of a text without a model: its turns, sentences, orders to the router; patterns on it."""
