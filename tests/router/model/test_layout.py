"""Where classes stand in a row of logits."""

import numpy as np

from router import examples
from router.model import layout


def test_outside_and_decoy_stand_behind_the_intents() -> None:
    labels = np.array([0, 2, 1, examples.OUT_OF_SCOPE, examples.DECOY])
    classes = layout.classes_of(labels, intents=3)
    assert classes.tolist() == [0, 2, 1, 3, 4]
    logits = np.eye(3 + layout.MORE)[classes]
    np.testing.assert_array_equal(logits[:, layout.INTENTS].sum(axis=1), [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(logits[:, layout.OUTSIDE], labels == examples.OUT_OF_SCOPE)
    np.testing.assert_array_equal(logits[:, layout.DECOY], labels == examples.DECOY)
    np.testing.assert_array_equal(logits[:, layout.OF_USERS].sum(axis=1), labels != examples.DECOY)
