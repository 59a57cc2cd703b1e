"""Words of scripts that the demo does not speak but must copy: kana, Hangul, Cyrillic, Greek and others."""

from random import Random

from deploy.demo.text import pools

_KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
_KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワンー"
_HANGUL = "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주한국서울대민김이박정"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшыьэюя"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψως"
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
_DEVANAGARI = "अआइउएकखगघचजटडतदनपबमयरलवसह"
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


def _letters(rng: Random, of: str, least: int, most: int) -> str:
    return "".join(pools.pick(rng, of) for _ in range(least + int(rng.random() * (most - least + 1))))
