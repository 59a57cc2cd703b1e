"""Requests written by hand, independent of the generator's phrases: a blind test of the demo."""
