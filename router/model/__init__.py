"""What a decision needs of a fit: a text's columns → logits and signals → calibrated confidences."""
