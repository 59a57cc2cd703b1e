"""OpenAI's responses: what one asks becomes a chat's body, a chat's answer becomes one."""
