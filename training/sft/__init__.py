"""Supervised fine-tuning: ``stage`` is what trains and is saved, ``learning`` how it learns."""
