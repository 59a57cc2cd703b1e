"""Plain documents about the world of the parcel desk: notes, stories, procedures, letters, tables of sums.

They are raw text for the base, no conversations; no name, number or sum in them is held out.
"""

from random import Random

from deploy.demo.text import arithmetic, goods, parcels, pools, words
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language


def document(rng: Random, language: Language) -> str:
    """One document of one to four paragraphs, or a table of calculations."""
    if rng.random() < 0.22:
        return _table(rng, language)
    phrases = Phrases.load("prose", language)
    return "\n".join(_paragraph(rng, phrases) for _ in range(1 + int(rng.random() * 4)))


def _paragraph(rng: Random, phrases: Phrases) -> str:
    language = phrases.language
    thing = pools.product(rng, language, "train")
    day = pools.day(rng, "train")
    text = phrases.plain(
        rng,
        "doc",
        id=parcels.parcel_id(rng, "train"),
        who=pools.person(rng, language, "train"),
        other=pools.given(rng, "train") if language == "en" else pools.pick(rng, words.ZH_CALLED),
        town=pools.city(rng, language, "train"),
        town2=pools.city(rng, language, "train"),
        thing=thing,
        things=goods.plural(thing),
        thing2=pools.product(rng, language, "train"),
        n=str(2 + int(rng.random() * 200)),
        m=str(2 + int(rng.random() * 60)),
        date=f"{day.year}年{day.month}月{day.day}日" if language == "zh" else f"{day:%d %B %Y}",
    )
    return text.replace("\\n", "\n")


def _table(rng: Random, language: Language) -> str:
    """Calculations of one kind, each worked out in columns or only stated."""
    worked = rng.random() < 0.5
    blocks = []
    for _ in range(2 + int(rng.random() * (3 if worked else 8))):
        kind, numbers = arithmetic.draw_train(rng)
        lines, _ = arithmetic.work(kind, numbers, language)
        blocks.append("\n".join(lines) if worked else lines[-1])
    return ("\n\n" if worked else "\n").join(blocks)
