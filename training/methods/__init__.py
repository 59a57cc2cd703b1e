"""What learns on a base: everything, some layers, LoRA and its kin, virtual tokens; and what of it is saved.

PEFT is imported by ``lora`` and ``virtual_tokens`` alone."""
