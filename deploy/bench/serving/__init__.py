"""The load generator behind ``pointsman bench``: traffic that is described, sent, timed and summed up."""
