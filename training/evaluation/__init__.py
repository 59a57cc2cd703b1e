"""How good a served model is: what a plan asks for, measured through any OpenAI-compatible URL."""
