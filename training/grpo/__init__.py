"""GRPO and RLOO: ``stage`` is the run, ``trl`` TRL's trainers as they are used here."""
