"""Proofs on a served demo: versions change under load without a fault, and a gate refuses what is bad."""
