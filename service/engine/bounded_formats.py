"""Formats of texts that have no end, as patterns that do: whatever fits the pattern has the format.

A pattern for a format narrows what can be written (nobody has an e-mail address of ten names), as the other
bounds of guides do.
"""

from __future__ import annotations

from collections.abc import Callable

_HELD = 4  # parts of a text, at most, share its characters
_WIDEST = 200  # characters of a hostname; more than 253 are none
_LONGEST_OF_WEB = 2083  # characters, to pydantic
_PARTS, _REST = 19, 50  # of a URI: a part's length so often, at most, and what is no part
_PCHAR = r"([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"  # RFC 3986, 3.3
_DAY = (  # of a month, from RFC 3339; not the leap day
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9][0-9]|[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
_DATE = f"({_YEAR}-{_DAY}|{_LEAP}-02-29)"
_CLOCK, _ZONE = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_TIME = rf"{_CLOCK}([.][0-9]{{1,6}})?{_ZONE}"
_EXACT = {
    "date": f"^{_DATE}$",
    "date-time": rf"^{_DATE}T{_CLOCK}([.][0-9]+)?{_ZONE}$",
    "ipv4": f"^{_IPV4}$",
}


def exact(name: str) -> str | None:
    """A pattern of the texts of the format ``name`` that a compiler reads too widely; None: none does.

    No calendar of Python's has a year 0.
    """
    return _EXACT.get(name)


def within(most: int, characters: int) -> str:
    """A pattern of URIs that are no longer than ``most``, nor much over ``characters``.

    By 2,083 one knows pydantic's HttpUrl, which takes addresses of the web alone. Its WebsocketUrl looks the
    same and is rarely asked for; a ws: between the two would be refused where a model writes it.
    """
    shared = max(1, (most - _REST) * _HELD // _PARTS)
    made = _web if most == _LONGEST_OF_WEB else _uri
    return f"^{made(max(1, min(shared, characters) // _HELD))}$"


def bounded(name: str, characters: int = _WIDEST) -> str | None:
    """A pattern of texts of the format ``name``, not much over ``characters`` long; None: it has an end.

    Of a format that nobody knows here there is none either.
    """
    made = _PATTERNS.get(name)
    return None if made is None else f"^{made(max(1, characters // _HELD))}$"


def _label(most: int) -> str:
    return rf"[A-Za-z0-9]([A-Za-z0-9-]{{0,{min(most, 61)}}}[A-Za-z0-9])?"  # RFC 1123, 2.1


def _hostname(most: int) -> str:
    return rf"{_label(most)}(\.{_label(most)}){{0,3}}"


def _email(most: int) -> str:
    """The last label is of letters, as zod asks too and those of the root zone are but for ``xn--``."""
    atom = rf"[A-Za-z0-9_+-]{{1,{min(most, 30)}}}"
    last = rf"[A-Za-z]{{2,{max(2, min(most, 61))}}}"
    return rf"{atom}(\.{atom}){{0,1}}@({_label(most)}\.){{1,2}}{last}"


def _host(most: int) -> str:
    """As WHATWG's URLs have it, what ends with a number is an address of four bytes or nothing."""
    last = rf"[A-Za-z]([A-Za-z0-9-]{{0,{min(most, 61)}}}[A-Za-z0-9])?"
    return rf"(({_label(most)}\.){{0,3}}{last}|{_IPV4})"


def _uri(most: int) -> str:
    few = rf"{_PCHAR}{{1,{most}}}"
    return rf"[A-Za-z][A-Za-z0-9+.-]{{0,9}}:({_located(most)}|{few}){_asked(most)}"


def _web(most: int) -> str:
    return rf"https?:{_located(most)}{_asked(most)}"


def _located(most: int) -> str:
    """Of a URI the host and the path."""
    return rf"//{_host(most)}(:{_PORT})?(/{_PCHAR}{{0,{most}}}){{0,3}}"


def _asked(most: int) -> str:
    """Of a URI what stands behind its path."""
    few = rf"{_PCHAR}{{0,{most}}}"
    return rf"(\?{few})?(#{few})?"


def _duration(_: int) -> str:
    """RFC 3339, appendix A."""
    some = "[0-9]{1,4}"
    time = rf"T({some}H({some}M({some}S)?)?|{some}M({some}S)?|{some}S)"
    date = rf"({some}Y({some}M({some}D)?)?|{some}M({some}D)?|{some}D)"
    return rf"P({some}W|{date}({time})?|{time})"


_PATTERNS: dict[str, Callable[[int], str]] = {
    "hostname": _hostname,
    "email": _email,
    "uri": _uri,
    "duration": _duration,
    "time": lambda _: _TIME,
    "date-time": lambda _: rf"{_DATE}T{_TIME}",
}
