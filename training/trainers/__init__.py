"""Learning from rows that say what is right, with TRL's trainers, which ``trl`` alone imports."""
