"""Order e-mails and the one line of JSON that says what is in them, at times over several turns.

Rules of the answer: keys in the order customer, items (product, quantity), city, date; every text exactly
as the e-mail writes it; the word that counts (``boxes of``, ``个``) is no part of a product, ``市`` none of
a city; a date is ``YYYY-MM-DD`` (``03/04/2026`` has the day first) or, where the e-mail
gives no full date with its year, null.
"""

from random import Random

from deploy.demo.text import order_mails, order_talks
from deploy.demo.text.sample import Expectation, Language, Sample, Split

_TALKS = 0.13  # of the rows to train on go on, or come after something else


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One order e-mail, bare or under an instruction, and its JSON; or a talk that ends with such JSON."""
    if split == "train" and rng.random() < _TALKS:
        messages, order = order_talks.talk(rng, language)
    else:
        text, order = order_mails.draw(rng, language, split)
        messages = [{"role": "user", "content": text}, order.told()]
    return Sample("order_json", language, tuple(messages), Expectation(json=order.json()))
