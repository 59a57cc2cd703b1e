"""Proximal policy optimisation on a language model: formulas, learner and stage, each in a module of its own.

Notation, in every docstring of this package::

    B             answers in a batch
    T             tokens of the longest answer; shorter ones are padded behind their end
    answer_mask   (B, T) bool, True = a token that the policy sampled; False = padding
    log_probs     (B, T) log π(a_t | s_t) in nats, where s_t is the prompt and the answer before token t
    values        (B, T) what the value head expects from s_t on, in units of the reward
    rewards       (B, T) what token t earns, the KL penalty included
    advantages    (B, T) how much better token t was than expected, in units of the reward

Every row of ``answer_mask`` is True from its first column to the answer's last token and False behind it.
An answer is one episode: nothing is earned behind its last token, and that holds too where the answer was
cut at its longest length.

Sources:

- Schulman et al. 2016, High-Dimensional Continuous Control Using Generalized Advantage Estimation,
  arXiv:1506.02438
- Schulman et al. 2017, Proximal Policy Optimization Algorithms, arXiv:1707.06347
- Schulman 2020, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
- Ziegler et al. 2019, Fine-Tuning Language Models from Human Preferences, arXiv:1909.08593
- Ouyang et al. 2022 (InstructGPT), Training Language Models to Follow Instructions with Human Feedback,
  arXiv:2203.02155
"""
