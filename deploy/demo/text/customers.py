"""Who orders: people by their full name, in training also by a first name, initials or a title; firms."""

from collections.abc import Callable
from random import Random

from deploy.demo.text import pools, words
from deploy.demo.text.sample import Language, Split

_BARE = 0.3  # of those to train on are called in another way than by first and family name
_FIRMS = ("Ltd", "GmbH", "& Sons", "Trading", "Books", "Hotel", "Bakery", "Inc", "Café", "Garden Centre")
_ZH_FIRMS = ("有限公司", "公司", "商店", "书店", "餐厅", "酒店", "贸易公司", "超市", "小学")
_THE = ("The {} Tea Room", "Café {}", "The {} Inn", "Studio {}", "{} Primary School", "Team {}", "Hotel {}")
_ZH_THE = ("{}社区食堂", "{}幼儿园", "{}小区物业", "{}工作室", "{}便利店", "{}中学", "{}咖啡", "{}花店")
_ZH_AFTER = ("姐", "哥", "叔", "姨", "工", "总", "老师", "女士", "先生")
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVW"


def customer(rng: Random, language: Language, split: Split) -> str:
    """A person or, one in fourteen, a firm."""
    if split == "train" and rng.random() < _BARE:
        return pools.draw(rng, split, _zh_called if language == "zh" else _called)
    if rng.random() < 0.93:
        return pools.person(rng, language, split)
    if language == "zh":
        return pools.draw(rng, split, lambda r: pools.hanzi(r, 2) + pools.pick(r, _ZH_FIRMS))
    first = pools.draw(rng, split, pools.family)
    return f"{first} {pools.pick(rng, _FIRMS)}"


def _called(rng: Random) -> str:
    first, last = pools.given(rng, "train"), pools.draw(rng, "train", pools.family)
    letters = [pools.pick(rng, _LETTERS) for _ in range(2)]
    style = rng.random()
    shapes: tuple[tuple[float, Callable[[], str]], ...] = (
        (0.46, lambda: first),
        (0.53, lambda: f"{first} {pools.given(rng, 'train')} {last}"),
        (0.58, lambda: f"{letters[0]}. {letters[1]}. {last}"),
        (0.61, lambda: f"{letters[0]}.{letters[1]}. {last}"),
        (0.63, lambda: f"{letters[0]} {letters[1]} {last}"),
        (0.66, lambda: f"{first} {letters[0]}."),
        (0.78, lambda: f"{pools.pick(rng, words.TITLES)} {first} {last}"),
        (0.82, lambda: f"{last} & {pools.draw(rng, 'train', pools.family)}"),
        (0.88, lambda: pools.pick(rng, _THE).format(last)),
        (0.92, lambda: last),
        (0.95, f"{first} {last}".upper),
    )
    return next((shape() for below, shape in shapes if style < below), f"{first} {last}".lower())


def _zh_called(rng: Random) -> str:
    family, given = pools.pick(rng, words.ZH_FAMILY), pools.pick(rng, words.ZH_GIVEN)
    second = given if rng.random() < 0.3 else pools.pick(rng, words.ZH_GIVEN)
    style = rng.random()
    shapes: tuple[tuple[float, Callable[[], str]], ...] = (
        (0.2, lambda: pools.pick(rng, "小小小老阿") + family),
        (0.3, lambda: pools.pick(rng, "阿小") + given),
        (0.42, lambda: given + second),
        (0.5, lambda: family + pools.pick(rng, _ZH_AFTER)),
        (0.62, lambda: pools.given_name(rng)),
        (0.7, lambda: f"{pools.given_name(rng)} {pools.family(rng)}"),
        (0.85, lambda: pools.pick(rng, _ZH_THE).format(pools.hanzi(rng, 2))),
    )
    titled = family + given + second + pools.pick(rng, ["先生", "女士", "医生", "老师"])
    return next((shape() for below, shape in shapes if style < below), titled)
