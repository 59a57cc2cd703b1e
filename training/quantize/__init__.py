"""The stage ``quantize``: a base in 4 or 8 bits by GPTQ, in the form that vLLM serves."""
