"""Examples become a model and a report on it, all chosen by cross-fitting; and both are kept in a folder."""
