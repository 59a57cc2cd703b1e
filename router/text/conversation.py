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

from router.text.names import named_in
from router.text.orders import part
from router.text.sentences import LONG, to_search

WINDOW = 6  # last user turns that are looked at
HEAD = TAIL = 1_000  # characters of a longer text that are classified, from its start and from its end
_RAW = 4 * (HEAD + TAIL)  # characters that are searched for orders before that cut
WHOLE = 100_000  # characters of a message that rules and parameters look at, half of them from its end
_EARLIER = 6  # messages before a turn that it may echo

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

    text: str  # what is classified: cleaned, at most HEAD + TAIL characters
    answers: bool  # the assistant's message before it asked for something
    echoes: bool = False  # it names again what was named in the last messages before it
    before: int = 0  # characters that all messages before it have
    more: str = ""  # the message, cleaned, where it is more than the text; at most WHOLE characters
    orders: tuple[str, ...] = ()  # its sentences that order the router about
    ordered: bool = False  # it says nothing else: they are the text
    sentences: tuple[str, ...] = ()  # of a long text, without the orders, each of which may decide

    @property
    def whole(self) -> str:
        """What rules and parameters look at: all that was said, orders as well."""
        return self.more or self.text


def user_turns(messages: Sequence[Mapping[str, Any]], own: frozenset[int] = frozenset()) -> tuple[Turn, ...]:
    """The last ``WINDOW`` user turns that say something, oldest first.

    System, developer and tool messages, images and calls of tools are passed over, and so are orders to the
    router before the last turn. ``own`` are kinds of orders that are none (:mod:`router.text.orders`).
    """
    turns: list[Turn] = []
    said = [0, *accumulate(_size(message.get("content")) for message in messages)]
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") != "user":
            continue
        raw = _printable(content_text(messages[place].get("content")))
        if says_nothing(raw):
            continue
        whole = " ".join(raw.split())
        rest, orders = part(cut(raw, _RAW // 2, _RAW // 2), own)
        text = " ".join(rest.split())
        if ordered := says_nothing(text):
            text = whole
        if not (ordered and turns):
            text = cut(text, HEAD, TAIL)
            answers, echoes = _asked_before(messages, place), _echoes(text, messages, place)
            more = whole if whole != text else ""
            long = not ordered and len(text) > LONG and words_in(text) > LONG
            sentences = to_search(rest) if long else ()
            turns.append(Turn(text, answers, echoes, said[place], more, orders, ordered, sentences))
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


def says_nothing(text: str) -> bool:
    """Whether ``text`` has no letter and no digit: a smile or "..." decides nothing."""
    return not any(map(str.isalnum, text))


def clean(text: str) -> str:
    """``text`` without control characters, white space as single spaces, at most ``WHOLE`` characters."""
    return " ".join(_printable(text).split())


def cut(text: str, head: int, tail: int) -> str:
    """The first and the last characters of a longer ``text``."""
    return text if len(text) <= head + tail else f"{text[:head]} {text[-tail:]}"


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
    said = (cut(content_text(message.get("content")), HEAD, TAIL) for message in earlier)
    return bool(named) and any(named & named_in(clean(each)) for each in said)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.replace("’", "'").casefold()))


def _printable(text: str) -> str:
    """``text`` with a space for each character that is none but the ends of lines, cut to ``WHOLE``."""
    raw = cut(text.strip(), WHOLE // 2, WHOLE // 2)
    if raw.isprintable():  # a look at each character costs more than all the rest
        return raw
    return raw.translate({ord(each): " " for each in set(raw) if each != "\n" and not _is_text(each)})


def _is_text(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
