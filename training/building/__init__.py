"""Rows for the agent stage, made by a teacher and filtered by rules: ReAct, and chain of thought."""
