"""A served model as a client sees it: HTTP, streams, OpenAI's form. Knows no rows and no training."""
