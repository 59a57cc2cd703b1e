"""The words of a text that name things, as far as a list of those that don't can tell."""

from __future__ import annotations

import re

_LONG_WORD = re.compile(r"[a-zà-ÿ]{4,}")
_PAIR = re.compile(r"(?=([\u3400-\u9fff]{2}))")
_NAMES_NOTHING = re.compile(
    r"about|actually|after|again|also|another|anything|because|been|before|being|between|both|could|didn|doesn?"
    r"|done|each|either|else|even|ever|every|from|going|good|haven?|hello|help|here|into|just|know|like|made|make"
    r"|many|maybe|mean|more|most|much|must|need|never|nothing|okay|only|other|over|please|really|right|same"
    r"|should|some|something|sorry|still|sure|tell|thank|that|their|them|then|there|these|they|things?|this|those"
    r"|time|told|very|want|well|were|what|when|where|whether|which|while|will|with|would|wrong|yours?"
)
_LITTLE = re.compile(
    "[的了是我你您他她它们这那个有在不要一下吗呢吧啊请帮给和就都还也很什么怎哪谁多少几可以能会到说看去来上没]"
)


def named_in(text: str) -> set[str]:
    """Words of four letters or more, without a plural's s, and pairs of Chinese characters."""
    words = {word for word in _LONG_WORD.findall(text.casefold()) if not _NAMES_NOTHING.fullmatch(word)}
    return {word.removesuffix("s") for word in words} | {
        pair for pair in _PAIR.findall(text) if not _LITTLE.search(pair)
    }
