"""Texts as character n-grams."""

from __future__ import annotations

import zlib

import numpy as np

from router.encoding.encoder import Encoder
from router.model.features import Spelling, buckets, fold

TEXTS = ["where is my parcel", "where is my package", "track parcel PX1234", "我的包裹在哪里", "12 + 30"]


def test_a_text_alone_has_the_row_that_it_has_in_the_fit() -> None:
    spelling, rows = Spelling.fit(TEXTS)
    np.testing.assert_allclose(spelling.transform(TEXTS), rows, atol=5e-3)  # eight bits
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


def test_a_word_without_end_is_cut_and_chinese_is_not() -> None:
    assert [len(word) for word in fold("a" * 250).split()] == [100, 100, 50]
    assert fold("b" * 100 + " c") == "b" * 100 + " c"
    assert fold("的" * 300) == "的" * 300


def test_a_letter_without_end_is_not_what_the_encoder_takes_for_unknown(encoder: Encoder) -> None:
    without_end, unknown = encoder.encode([fold("a" * 2_000), "\U00012000"])
    assert without_end @ unknown < 0.9
    as_it_was = encoder.encode(["a" * 2_000])[0]
    assert as_it_was @ unknown > 0.99


def test_a_word_counts_alone_and_with_the_one_before_it() -> None:
    alone, both = set(buckets("my").tolist()), set(buckets("lost my").tolist())
    assert alone < both
    pair = both - alone - set(buckets("lost").tolist())
    assert pair == {zlib.crc32(b" lost  my ") % (1 << 20)}
