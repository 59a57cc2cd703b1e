"""Learning from one's own answers: what ppo and grpo share, and nothing of how either learns.

prompts → answers, sampled here or by a vLLM server → rewards; the policy with its reference; and the
reward on held-out prompts, before and after.
"""
