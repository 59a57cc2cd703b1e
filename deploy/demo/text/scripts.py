"""Words of scripts that the demo does not speak but must copy: kana, Hangul, Cyrillic, Greek and others."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random

from deploy.demo.text import pools
from deploy.demo.text.sample import Language

_KANA = "".join(map(chr, range(0x3042, 0x3094)))  # with small ones and those with marks
_KATAKANA = "".join(map(chr, range(0x30A2, 0x30F4))) + "ー"
_HANGUL = "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주한국서울대민김이박정"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшыьэюя"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψως"
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
_THAI = "กขคงจชดตทนบปผพมยรลวสหอะาเแโ"
_DEVANAGARI = "अआइउएकखगघचजटडतदनपबमयरलवसह"
_SYLLABLES = "".join(map(chr, range(0xAC00, 0xD7A4)))  # all of Hangul
_PICTURES = "".join(map(chr, (*range(0x1F330, 0x1F370), *range(0x1F400, 0x1F43F), *range(0x1F680, 0x1F6A5))))
_REPEATING = 0.35  # of the names: chance alone gives few letters of such scripts twice
_ACCENTED = "àâçèéêëîïôûüáíóúñãõäöåøæßłśźżćšžčřě"


def word(rng: Random) -> str:
    """One to three words of one such script, at times with Han characters or Latin letters beside them."""
    kind = rng.random()
    if kind < 0.4:
        kana = _letters(rng, _KANA if rng.random() < 0.55 else _KATAKANA, 2, 7)
        return kana + (pools.hanzi(rng, 2 + int(rng.random() * 3)) if rng.random() < 0.4 else "")
    if kind < 0.55:
        return _letters(rng, _HANGUL, 2, 5)
    if kind < 0.72:
        return " ".join(_letters(rng, _CYRILLIC, 3, 8).capitalize() for _ in range(1 + int(rng.random() * 2)))
    if kind < 0.82:
        return _letters(rng, _ACCENTED + "abdeiklmnorstu", 4, 8).capitalize()
    if kind < 0.90:
        return _letters(rng, _GREEK, 3, 7)
    return _letters(rng, _ARABIC if rng.random() < 0.5 else _DEVANAGARI, 3, 6)


def native(rng: Random, language: Language) -> tuple[str, str]:
    """What something is called in a script other than the request's, and the script: a key of ``PEOPLES``.

    It has 2 to 12 letters that mean nothing together, so it can be copied and not remembered. In a third of
    them a letter comes again: who goes on by the last letter alone loses the place there.
    """
    kinds = _ABROAD[language]
    (script,) = rng.choices(list(kinds), list(kinds.values()))
    name = _NATIVE[script](rng)
    return (_repeating(rng, name) if rng.random() < _REPEATING else name), script


def _repeating(rng: Random, name: str) -> str:
    """The name with one of its letters again in the place of a later one, spaces left as they are."""
    places = [at for at, mark in enumerate(name) if not mark.isspace()]
    if len(places) < 3:
        return name
    first, later = sorted(rng.sample(places, 2))
    return name[:later] + name[first].lower() + name[later + 1 :]


def _han(rng: Random) -> str:
    """Characters of everyday words, of names and rare ones: each is a token or bytes of its own."""
    everyday = _everyday()
    return "".join(
        pools.pick(rng, everyday) if rng.random() < 0.6 else pools.hanzi(rng, 1)
        for _ in range(2 + int(rng.random() ** 1.4 * 8))
    )


def _japanese(rng: Random) -> str:
    kana = _letters(rng, _KANA if rng.random() < 0.6 else _KATAKANA, 2, 8)
    if rng.random() < 0.55:
        return kana
    han = "".join(pools.pick(rng, _everyday()) for _ in range(1 + int(rng.random() * 4)))
    return kana + han if rng.random() < 0.65 else han + kana


def _korean(rng: Random) -> str:
    known = rng.random() < 0.5
    made = [_letters(rng, _HANGUL if known else _SYLLABLES, 2, 5) for _ in range(1 + int(rng.random() * 1.4))]
    return " ".join(made)


def _spaced(rng: Random, of: str) -> str:
    """A word, or two of them."""
    cased = rng.random() < 0.85
    made = [_letters(rng, of, 3, 6) for _ in range(1 + int(rng.random() * 1.5))]
    return " ".join(each.capitalize() if cased else each for each in made)


def _latin(rng: Random) -> str:
    """A word or two in Latin letters, written as names are."""
    made = [pools.word(rng)[:6] for _ in range(1 + int(rng.random() * 1.6))]
    name = " ".join(each.upper() if rng.random() < 0.1 else each.capitalize() for each in made)
    return name if len(name) > 1 else _latin(rng)  # a drawn word may be one letter, which is no name


def _pictured(rng: Random) -> str:
    """Pictures alone, or beside a word."""
    pictures = _letters(rng, _PICTURES, 1, 3)
    if rng.random() < 0.3 and len(pictures) > 1:
        return pictures
    word = pools.word(rng)[:7].capitalize() if rng.random() < 0.6 else _han(rng)[:4]
    return f"{pictures} {word}" if rng.random() < 0.5 else f"{word} {pictures}"


@cache
def _everyday() -> str:
    """The Chinese characters of the phrase files, which a tokenizer knows as wholes, in one order."""
    files = sorted((Path(__file__).parent / "phrases").glob("*.zh.txt"))
    found = {mark for file in files for mark in file.read_text(encoding="utf-8") if "一" <= mark <= "龟"}
    return "".join(sorted(found))


def _letters(rng: Random, of: str, least: int, most: int) -> str:
    return "".join(pools.pick(rng, of) for _ in range(least + int(rng.random() * (most - least + 1))))


_NATIVE: Mapping[str, Callable[[Random], str]] = {
    "han": _han,
    "japanese": _japanese,
    "korean": _korean,
    "cyrillic": lambda rng: _spaced(rng, _CYRILLIC),
    "greek": lambda rng: _spaced(rng, _GREEK),
    "arabic": lambda rng: _spaced(rng, _ARABIC),
    "devanagari": lambda rng: _spaced(rng, _DEVANAGARI),
    "hebrew": lambda rng: _spaced(rng, _HEBREW),
    "thai": lambda rng: _letters(rng, _THAI, 3, 9),
    "accented": lambda rng: _spaced(rng, _ACCENTED + "abdeiklmnorstu"),
    "latin": _latin,
    "pictures": _pictured,
}
_ABROAD: Mapping[Language, Mapping[str, float]] = {
    "en": {
        **{"han": 0.34, "japanese": 0.19, "korean": 0.1, "cyrillic": 0.09, "greek": 0.05, "arabic": 0.04},
        **{"devanagari": 0.03, "hebrew": 0.02, "thai": 0.02, "accented": 0.08, "pictures": 0.04},
    },
    "zh": {
        **{"latin": 0.42, "japanese": 0.14, "korean": 0.08, "cyrillic": 0.09, "greek": 0.05, "arabic": 0.04},
        **{"devanagari": 0.03, "hebrew": 0.02, "thai": 0.02, "accented": 0.08, "pictures": 0.03},
    },
}
PEOPLES: Mapping[str, tuple[tuple[str, str], ...]] = {  # who writes so, in English and in Chinese
    "han": (("Chinese", "中国"), ("Taiwanese", "台湾"), ("Cantonese", "广东"), ("Singaporean", "新加坡")),
    "japanese": (("Japanese", "日本"),),
    "korean": (("Korean", "韩国"), ("South Korean", "韩国")),
    "cyrillic": (("Russian", "俄罗斯"), ("Bulgarian", "保加利亚"), ("Ukrainian", "乌克兰")),
    "greek": (("Greek", "希腊"), ("Cypriot", "塞浦路斯")),
    "arabic": (("Egyptian", "埃及"), ("Moroccan", "摩洛哥"), ("Jordanian", "约旦"), ("Lebanese", "黎巴嫩")),
    "devanagari": (("Indian", "印度"), ("Nepalese", "尼泊尔")),
    "hebrew": (("Israeli", "以色列"),),
    "thai": (("Thai", "泰国"),),
    "accented": (("Norwegian", "挪威"), ("Polish", "波兰"), ("French", "法国"), ("Czech", "捷克")),
    "latin": (("Italian", "意大利"), ("British", "英国"), ("German", "德国"), ("Dutch", "荷兰")),
    "pictures": (("Swiss", "瑞士"), ("Brazilian", "巴西"), ("Australian", "澳大利亚")),
}  # fmt: skip
