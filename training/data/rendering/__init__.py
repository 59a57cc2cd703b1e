"""From a row to token ids and a loss mask, by the base's own chat template."""
