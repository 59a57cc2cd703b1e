"""The stage ``router``: an encoder is tuned to the intents that a router has to tell apart."""
