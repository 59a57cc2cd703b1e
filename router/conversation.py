"""OpenAI messages → the user turns to decide on: cleaned, cut to a bound, and marked for what they are.

Knows nothing of intents. What a turn is can be told without a model: an acknowledgement ("yes please"), a
bare id ("the number is PX482913"), elliptic ("and where is the other one?"), which means little by itself, or
a statement ("the plates are smashed"), which asks for nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from router.names import named_in
from router.orders import without_orders

WINDOW = 6  # last user turns that are looked at
HEAD = TAIL = 1_000  # characters of a longer text that are looked at, from its start and from its end
_RAW = 4 * (HEAD + TAIL)  # characters that are cleaned before that cut
_EARLIER = 6  # messages before a turn that it may echo

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_ID = re.compile(r"#?[a-z]{0,4}-?\d[a-z0-9]*(?:-[a-z0-9]+)*", re.IGNORECASE)
_AGREES = (
    r"yes|yep|yeah|yup|no|nope|ok|okay|sure|right|correct|exactly|fine|great|good|perfect|cool|alright|please"
    r"|thanks|thank|cheers|ty|thx|got it|do (?:it|that|so)|go ahead|sounds good|i see|not yet"
    r"|that's (?:right|all|it|fine)|that works|will do|of course|confirm(?:ed)?"
    r"|是的?|对的?|好的?|可以|行|嗯|多?谢|感谢|没错|不是"
    r"|不用|不要|不对|没有|麻烦[你您]?了?|确认|明白|知道|收到|就这样|没问题|当然"
)
_THANKS = re.compile(r"\b(?:thanks?|cheers|ty|thx)\b|谢|感谢")
_BEFORE = r"so|very|then|那|非常|太|请|我"
_AFTER = r"you|so|very|much|a lot|many|all|now|then|你|您|了|啊|吧|呀|哦"
_ACKNOWLEDGEMENT = re.compile(  # each word can be read in one way only, or a long row of them takes for ever
    rf"(?:(?:(?:{_BEFORE})\s*)?(?:{_AGREES})\s*(?:(?:{_AFTER})\s*)*+)+"
)
_BESIDE_ID = re.compile(  # what says no more than that an id follows
    r"\b(?:the|my|it's|its?|that's|this|that|here's|here|is|was|for|and|sorry|yes|number|numbers|no|nr|id|code"
    r"|reference|ref|tracking|order|parcel|package|shipment|one|should|be|think|i)\b"
    r"|[我的是为这它个号码单订运快递包裹编件嗯哦：，]",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"[?？]|吗|呢|什么|哪|谁|怎|多少|几|请|帮|我[要想]|给我|能不能|可以|查|改|退|取消"
    r"|\b(?:whos?|whats?|whens?|wheres?|which|why|hows?|can|could|would|will|do|does|did|please|want|wants|need|needs"
    r"|like|tell|give|get|send|show|find|track|change|cancel|let|help|make|take|put|stop|calculate)\b"
    r"|^(?:is|are|was|were|am|has|have|may|should)\b",
    re.IGNORECASE,
)
_OPENS_ELLIPSIS = re.compile(
    r"(?:and|also|what about|how about|but|or|then|so|same|again|plus|what if|why|how so|really|the)\b"
    r"|那|还有|再|另|这|它|他|她|第|也|然后|为什么|怎么|如果|可是|但|真的|确定",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|that|this|those|these|them|they|one|ones|other|others|another|second|third|first|last|both|same"
    r"|again|too|instead|either|exactly|answer|reply|hear (?:back|from|more))\b"
    r"|答复|回复|来着|另一|那个|这个|那件|这件|那份|这份|它|上一|下一|刚才|第[一二三四五两]|也|呢",
    re.IGNORECASE,
)
_CLOSING_OFFER = re.compile(
    r"anything else|something else|how (?:can|may) i|what (?:can|else)|help you"
    r"|还有(?:什么|其他|别的)|别的|什么可以帮|帮您|帮你",
    re.IGNORECASE,
)
_REQUESTS = re.compile(
    r"[?？]|\b(?:tell me|let me know|(?:please|kindly) (?:give|send|provide|share|describe|enter))\b"
    r"|请(?:您|你)?(?:告诉|提供|描述|说明|输入|发)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the user."""

    text: str  # cleaned, at most HEAD + TAIL characters
    answers: bool  # the assistant's message before it asked for something
    echoes: bool = False  # it names again what was named in the last messages before it
    before: int = 0  # characters that all messages before it have


def user_turns(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """The last ``WINDOW`` user turns that say something, oldest first.

    System, developer and tool messages, images and calls of tools are passed over.
    """
    turns: list[Turn] = []
    said = [0, *accumulate(_size(message.get("content")) for message in messages)]
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") != "user":
            continue
        text = clean(content_text(messages[place].get("content")))
        if any(character.isalnum() for character in text):  # a smile or "..." decides nothing
            turns.append(
                Turn(text, _asked_before(messages, place), _echoes(text, messages, place), said[place])
            )
        if len(turns) == WINDOW:
            break
    return tuple(reversed(turns))


def content_text(content: object) -> str:
    """The text of a message's ``content``: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text")
    return "\n".join(part for part in parts if isinstance(part, str))


def _size(content: object) -> int:
    return len(content if isinstance(content, str) else content_text(content))


def clean(text: str) -> str:
    """``text`` without control characters and orders to the router, cut to its first and last characters."""
    raw = _cut(text.strip(), _RAW // 2, _RAW // 2)
    if not raw.isprintable():  # a look at each character costs more than all the rest
        raw = "".join(character if _is_text(character) else " " for character in raw)
    return _cut(_SPACE.sub(" ", without_orders(raw)).strip(), HEAD, TAIL)


def is_acknowledgement(text: str) -> bool:
    """Whether ``text`` only agrees, declines or thanks."""
    return len(text) <= 60 and bool(_ACKNOWLEDGEMENT.fullmatch(_words(text)))


def is_thanks(text: str) -> bool:
    """Whether ``text`` is an acknowledgement that thanks, whatever else it acknowledges."""
    return is_acknowledgement(text) and bool(_THANKS.search(_words(text)))


def is_bare_id(text: str) -> bool:
    """Whether ``text`` is nothing but one to three ids or numbers, with words that only say so."""
    tokens = _BESIDE_ID.sub(" ", text.rstrip(".!。！").replace(",", " ")).split()
    return 1 <= len(tokens) <= 3 and all(_ID.fullmatch(token) for token in tokens)


def is_elliptic(text: str) -> bool:
    """Whether ``text`` is short, or leans by its words on what was said before it."""
    return words_in(text) <= 3 or points_back(text)


def points_back(text: str) -> bool:
    """Whether ``text`` has few words and one of them leans on what was said before it."""
    return words_in(text) <= 9 and bool(_OPENS_ELLIPSIS.match(text) or _POINTS_BACK.search(text))


def words_in(text: str) -> float:
    """How many words ``text`` has; two Chinese characters count as one."""
    return len(_CJK.findall(text)) / 2 + len(_WORD.findall(_CJK.sub(" ", text)))


def asks(text: str) -> bool:
    """Whether ``text`` asks or orders something; else it only states what is."""
    return bool(_ASKS.search(text))


def _asked_before(messages: Sequence[Mapping[str, Any]], place: int) -> bool:
    for message in reversed(messages[max(0, place - 8) : place]):
        if message.get("role") == "user":
            return False
        if message.get("role") == "assistant":
            said = content_text(message.get("content"))[-300:]
            if said:
                return bool(_REQUESTS.search(said)) and not _CLOSING_OFFER.search(said)
    return False


def _echoes(text: str, messages: Sequence[Mapping[str, Any]], place: int) -> bool:
    earlier = messages[max(0, place - _EARLIER) : place]
    named = named_in(text) if earlier else set()
    return bool(named) and any(named & named_in(clean(content_text(m.get("content")))) for m in earlier)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.replace("’", "'").casefold()))


def _is_text(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _cut(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]} {text[-tail:]}"
