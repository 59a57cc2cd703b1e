"""From a model's confidences to a decision on a conversation: rules, parents, parameters, tracks."""
