"""The reward model: ``stage`` is what trains and is saved, ``learning`` how it learns and is measured."""
