"""Written arithmetic, column by column: the steps a small model can do one at a time, and number words.

Every step uses only two or three digits and a carry, and every number that a later step needs is written
down before it. Numbers are whole; sums, differences and one-digit products.
"""

from deploy.demo.text.sample import Language


def _split(text: str) -> list[str]:
    return text.split()


_PLACES = {
    "en": ("ones", "tens", "hundreds", "thousands"),
    "zh": ("个位", "十位", "百位", "千位"),
}
_ONES = _split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = _split("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
_ZH_DIGITS = "零一二三四五六七八九"


def _digits(number: int, length: int) -> list[int]:
    """The digits from the ones upwards, filled with zeros up to ``length``."""
    return [number // 10**place % 10 for place in range(length)]


def _line(language: Language, place: int, step: str, total: int, last: bool) -> str:
    name = _PLACES[language][place]
    if last:
        return f"{name}: {step}" if language == "en" else f"{name}：{step}"
    if language == "en":
        return f"{name}: {step}, write {total % 10}, carry {total // 10}"
    return f"{name}：{step}，写 {total % 10}，进 {total // 10}"


def add(a: int, b: int, language: Language) -> list[str]:
    """The lines of ``a + b``, both at least 0; the last one states the sum."""
    length = max(len(str(a)), len(str(b)))
    lines, carry = [], 0
    for place, (x, y) in enumerate(zip(_digits(a, length), _digits(b, length), strict=True)):
        total = x + y + carry
        step = f"{x} + {y} + {carry} = {total}" if carry else f"{x} + {y} = {total}"
        carry = total // 10
        lines.append(_line(language, place, step, total, place == length - 1))
    return [*lines, f"{a} + {b} = {a + b}"]


def subtract(a: int, b: int, language: Language) -> list[str]:
    """The lines of ``a - b``, both at least 0; a negative difference is done the other way round."""
    if a < b:
        turned = f"{a} < {b}, so turn round and negate" if language == "en" else f"{a} < {b}，交换后取负"
        return [turned, *subtract(b, a, language)[1:], f"{a} - {b} = -{b - a}"]
    lines = [f"{a} > {b}" if a > b else f"{a} = {b}"]
    length = len(str(a))
    borrow = 0
    for place, (x, y) in enumerate(zip(_digits(a, length), _digits(b, length), strict=True)):
        less = f" - {borrow}" if borrow else ""
        needs = x - borrow < y
        top = x + 10 if needs else x
        step = f"{top} - {y}{less} = {top - y - borrow}"
        name = _PLACES[language][place]
        if language == "en":
            lines.append(f"{name}: {'borrow, ' if needs else ''}{step}")
        else:
            lines.append(f"{name}：{'借位，' if needs else ''}{step}")
        borrow = int(needs)
    return [*lines, f"{a} - {b} = {a - b}"]


def multiply(a: int, b: int, language: Language) -> list[str]:
    """The lines of ``a × b`` where one factor has one digit."""
    digit, number = min(a, b), max(a, b)
    lines, carry = [], 0
    length = len(str(number))
    for place, x in enumerate(_digits(number, length)):
        product = digit * x
        step = f"{digit} × {x} = {product}"
        if carry:
            step += f", {product} + {carry} = {product + carry}"
        total = product + carry
        carry = total // 10
        lines.append(_line(language, place, step, total, place == length - 1))
    return [*lines, f"{a} × {b} = {a * b}"]


def english(number: int, hyphen: bool = True) -> str:
    """``number`` from 0 to 999 in English words."""
    if number >= 100:
        rest = number % 100
        return f"{_ONES[number // 100]} hundred" + (f" and {english(rest, hyphen)}" if rest else "")
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (("-" if hyphen else " ") + _ONES[ones] if ones else "")


def chinese(number: int) -> str:
    """``number`` from 0 to 999 in Chinese characters."""
    if number >= 100:
        hundreds, rest = divmod(number, 100)
        head = _ZH_DIGITS[hundreds] + "百"
        if not rest:
            return head
        return head + ("零" + _ZH_DIGITS[rest] if rest < 10 else _ZH_DIGITS[rest // 10] + "十" + _ones(rest))
    if number < 10:
        return _ZH_DIGITS[number]
    return ("" if number < 20 else _ZH_DIGITS[number // 10]) + "十" + _ones(number)


def _ones(number: int) -> str:
    return _ZH_DIGITS[number % 10] if number % 10 else ""
