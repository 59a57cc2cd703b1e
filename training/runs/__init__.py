"""What every run has: a folder, progress, checkpoints, trackers, faults, processes. Knows no stage."""
