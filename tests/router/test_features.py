"""Texts as character n-grams."""

from __future__ import annotations

import numpy as np

from router.features import Spelling, buckets

TEXTS = ["where is my parcel", "where is my package", "track parcel PX1234", "我的包裹在哪里", "12 + 30"]


def test_a_text_alone_has_the_row_that_it_has_in_the_fit() -> None:
    spelling, rows = Spelling.fit(TEXTS)
    np.testing.assert_allclose(spelling.transform(TEXTS), rows, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


def test_what_no_example_has_shortens_a_row() -> None:
    spelling, _ = Spelling.fit(TEXTS)
    lengths = np.linalg.norm(
        spelling.transform(["where is my parcel", "where is my zebra", "xylophone", ""]), axis=1
    )
    assert lengths[0] > lengths[1] > lengths[2]
    assert lengths[3] == 0


def test_ids_numbers_and_case_are_read_alike() -> None:
    for one, other in (("Parcel PX1234", "parcel ab98765"), ("12 + 30", "7 + 5"), ("WHERE", "where")):
        np.testing.assert_array_equal(buckets(one), buckets(other))
    assert len(buckets("")) == 0
    assert len(buckets("我的包裹")) == 4 + 3 + 2
