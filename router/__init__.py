"""The router: conversation → intent, confidence, abstention. Knows no prompt, no adapter and no HTTP."""
