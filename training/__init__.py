"""From data to an artefact: ``run`` is the way in, ``stages`` the table of what it may be.

::

    preflight/ what is known before a run: ``pointsman check`` and ``pointsman data preview``
    recipe/    what a run is told; one module for each stage
    data/      files → rows → tokens with a loss mask → batches
    models/    bases, tokenizers and reward models as folders
    methods/   what learns on a base: LoRA and its kin, virtual tokens, some layers, everything
    trainers/  TRL's trainers of rows that say what is right, and the run around them
    online/    what ppo and grpo share: prompts, sampled answers, rewards, the policy
    runs/      what every run has: its folder, estimate, progress, checkpoints, curves, faults, processes

    cpt/ sft/ rm/ dpo/ ppo/ grpo/ quantize/ routing/    a stage each
    convert/ evaluation/ building/ release/             what is done with a result, and for the next one
    served/    a served model as a client sees it
    errors, problems    what can go wrong, as one tree; and all of it told at once
"""
