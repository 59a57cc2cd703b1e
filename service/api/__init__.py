"""The gateway over HTTP: OpenAI's API, the admin's, and what probes and Prometheus read."""
