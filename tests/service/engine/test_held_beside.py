"""A format beside what clients' helpers write with it: the guide holds both."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import AnyUrl, HttpUrl, TypeAdapter

from chains.schemas.passed_over import passed_over
from tests.service.engine.compilers import DEMO, called, compiled, guided

TEXT = {"type": "string"}
EARLIER_EMAIL = (
    r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
)
ZOD = [  # 4.6.7: z.email(), z.iso.date() and so on, the last with offset: true
    (
        "email",
        (
            r"^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)"
            r"+[A-Za-z]{2,}$"
        ),
        ["ann@b.co", "a.b+c@x-y.co.uk"],
        ["a@b.7", ".ann@b.co", "a..b@c.de", "@b.co", "a'@b.co"],
    ),
    (
        "date",
        (
            r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{"
            r"4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:0"
            r"2)-(?:0[1-9]|1\d|2[0-8])))$"
        ),
        ["2024-02-29", "2830-09-30"],
        ["2830-09-31", "2023-02-29"],
    ),
    (
        "date-time",
        (
            r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{"
            r"4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:0"
            r"2)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z))$"
        ),
        ["2024-02-29T12:30:00Z", "2024-02-28T12:30:00.12Z"],
        ["2024-02-28T12:30:00+01:00", "2023-02-29T12:30:00Z"],
    ),
    (
        "duration",
        (
            r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)"
            r"?)?)$"
        ),
        ["P1D", "PT5M", "P2W", "P1Y2M3DT4H5M6S"],
        ["P", "PT", "P1W2D"],
    ),
    (
        "ipv4",
        (
            r"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0"
            r"-9][0-9]|[1-9][0-9]|[0-9])$"
        ),
        ["1.2.3.4", "255.0.0.1"],
        ["01.2.3.4", "256.1.1.1", "1.2.3"],
    ),
    (
        "ipv6",
        (
            r"^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1"
            r",6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:"
            r"){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-f"
            r"A-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:(("
            r":[0-9a-fA-F]{1,4}){1,7}|:))$"
        ),
        ["::1", "fe80::1:2", "1:2:3:4:5:6:7:8"],
        [":::", "1:2", "g::"],
    ),
    (
        "hostname",
        (
            r"^(?=.{1,253}\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-0-9a-"
            r"zA-Z]{0,61}[0-9a-zA-Z])?)*\.?$"
        ),
        ["a.example.org", "localhost"],
        ["-a", "a..b"],
    ),
    (
        "date-time",
        (
            r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{"
            r"4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:0"
            r"2)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|([+-](?:[0"
            r"1]\d|2[0-3]):[0-5]\d)))$"
        ),
        ["2024-02-28T12:30:00+01:00", "2024-02-29T12:30:00Z"],
        ["2024-02-28T12:30:00+25:00", "2023-02-29T12:30:00Z"],
    ),
    *(
        (
            "date-time",
            (
                r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{"
                r"4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:0"
                r"2)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:"
                rf"{zone}))$"  # releases before 4.6.7: a format's time has seconds, whatever the pattern says
            ),
            ["2024-02-29T12:30:00Z", "2024-02-28T12:30:00.12Z", *more],
            ["2024-02-28T12:30Z", "2024-02-28T12:30:00+25:00", "2023-02-29T12:30:00Z"],
        )
        for zone, more in (
            ("Z", []),
            (r"Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)", ["2024-02-28T12:30:00+01:00"]),
        )
    ),
    ("email", EARLIER_EMAIL, ["ann@b.co"], ["a@b.7", ".ann@b.co", "a..b@c.de"]),
]


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize(("form", "pattern", "fitting", "misfits"), ZOD)
def test_what_zod_writes_is_held(
    form: str, pattern: str, fitting: list[str], misfits: list[str], bounds: Any
) -> None:
    schema = {**TEXT, "format": form, "pattern": pattern}
    assert not list(passed_over(schema))
    for compiler in (compiled, called, guided):
        fits = compiler(schema, bounds)
        for text in fitting:
            assert re.search(pattern, text)
            assert fits(json.dumps(text)), (compiler, text)
        assert not any(fits(json.dumps(text)) for text in misfits), compiler


def test_another_pattern_beside_a_format_is_passed_over() -> None:
    for form, pattern, *_ in ZOD:
        for other in ({"format": "uri", "pattern": pattern}, {"format": form, "pattern": f"{pattern}|x"}):
            assert "pattern" in [passed.keyword for passed in passed_over({**TEXT, **other})]


URL = "https://example.org/a?b=c#d"


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize("most", [None, 2083, 500])
def test_a_url_of_pydantics_is_held_with_its_length(bounds: Any, most: int | None) -> None:
    schema: dict[str, Any] = {**TEXT, "format": "uri", "minLength": 1}
    schema |= {} if most is None else {"maxLength": most}
    assert not list(passed_over(schema))
    for compiler in (compiled, called, guided):
        fits = compiler(schema, bounds)
        assert fits(json.dumps(URL))
        assert not fits('""')
        assert not fits('"no url"')
        if most is not None:
            longest = "".join(("abcdefghij://", "/".join(["a" * (most // 4)] * 5)))
            assert not fits(json.dumps(longest))
    if most is not None:  # as long as it may be, in steps
        fits, scheme = compiled(schema, bounds), "https" if most == 2083 else "abcdefghij"
        assert fits(json.dumps(f"{scheme}://a"))
        for step in range(1, 200):
            label, part = "a" * min(step, 63), "%aa" * step
            text = f"{scheme}://{'.'.join([label] * 4)}:12345{f'/{part}' * 3}?{part}#{part}"
            assert not fits(json.dumps(text)) or len(text) <= most


URLS = ["http://a.b:65535/", "https://127.0.0.1:80/a?b", "https://a-b.example.org/%20#c"]
NO_URLS = ["http://a.1/", "http://1/", "http://256.1.1.1/", "http://a:65536/", "http:a", "http://a.b:"]


@pytest.mark.parametrize("bounds", [None, DEMO])
def test_what_is_written_for_a_url_of_the_web_pydantic_takes(bounds: Any) -> None:
    adapter = TypeAdapter[Any](HttpUrl)
    for compiler in (compiled, called, guided):
        fits = compiler(adapter.json_schema(), bounds)
        for text in URLS:
            adapter.validate_python(text)
            assert fits(json.dumps(text)), text
        for text in (*NO_URLS, "ws://a.b/", "ftp://a.b/", "urn:isbn:12", "a:b"):
            assert not fits(json.dumps(text)), text


def test_a_uri_that_ends_has_a_host_and_a_port_that_pydantic_takes() -> None:
    adapter = TypeAdapter[Any](AnyUrl)
    fits = guided(adapter.json_schema(), DEMO)
    for text in (*URLS, "urn:isbn:12", "ftp://a.b/"):
        adapter.validate_python(text)
        assert fits(json.dumps(text)), text
    assert not any(fits(json.dumps(text)) for text in NO_URLS if "//" in text)


def test_another_length_beside_a_format_is_passed_over() -> None:
    for other in (
        {"format": "uri", "maxLength": 50},
        {"format": "uri", "minLength": 2},
        {"format": "uri-reference", "minLength": 1},
        {"format": "email", "maxLength": 2083},
        {"format": "uri", "pattern": "^a", "minLength": 1},
        {"minLength": 1, "pattern": "^a"},
    ):
        assert list(passed_over({**TEXT, **other}))


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize(
    ("form", "fitting", "misfits"),
    [
        ("ipv4", ["1.2.3.4", "0.0.0.0", "255.10.99.100"], ["01.2.3.4", "1.2.3.04", "256.0.0.1", "1.2.3"]),
        (
            "date-time",
            ["2024-10-01T12:30:00Z", "2024-02-29T00:00:00.5+02:00"],
            ["0000-10-01T12:30:00Z", "2023-02-29T00:00:00Z", "2024-10-01T24:00:00Z"],
        ),
        ("date", ["2830-09-30", "2024-02-29", "2000-02-29"], ["2830-09-31", "2023-02-29", "0000-01-01"]),
    ],
)
def test_a_format_is_held_exactly(form: str, fitting: list[str], misfits: list[str], bounds: Any) -> None:
    for compiler in (compiled, called, guided):
        fits = compiler({**TEXT, "format": form}, bounds)
        assert all(fits(json.dumps(text)) for text in fitting)
        assert not any(fits(json.dumps(text)) for text in misfits)


def test_an_email_on_the_demo_ends_with_letters() -> None:
    fits = compiled({**TEXT, "format": "email"}, DEMO)
    assert fits('"a.b@c.de"')
    assert not fits('"a@b.7"')


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize(
    ("beside", "value", "misfit"),
    [
        ({**TEXT, "format": "uri-template"}, "/a/{b}", "/a/{c}"),
        ({**TEXT, "format": "json-pointer", "minLength": 1, "maxLength": 9}, "/a/b", "/a"),
        ({**TEXT, "format": "iri"}, "https://example.org/ä", "https://example.org"),
        ({"type": "number", "multipleOf": 0.00001, "minimum": 0, "exclusiveMaximum": 1}, 0.5, 0.25),
    ],
)
def test_what_the_values_fit_that_are_listed_asks_for_nothing(
    beside: dict[str, Any], value: Any, misfit: Any, bounds: Any
) -> None:
    for listed in ({"const": value}, {"enum": [value]}):
        schema: dict[str, Any] = {"type": "object", "properties": {"a": {**beside, **listed}}}
        schema |= {"required": ["a"], "additionalProperties": False}
        assert not list(passed_over(schema))
        for compiler in (compiled, called, guided):
            fits = compiler(schema, bounds)
            assert fits(json.dumps({"a": value}, ensure_ascii=False))
            assert not fits(json.dumps({"a": misfit}, ensure_ascii=False))


def test_what_one_of_the_values_does_not_fit_is_llguidances() -> None:
    schema = {**TEXT, "enum": ["2024-02-29", "tomorrow"], "format": "date"}
    assert [passed.keyword for passed in passed_over(schema)] == ["format"]
    fits = guided(schema)
    assert fits('"2024-02-29"')
    assert not fits('"tomorrow"')
    unknown = {**TEXT, "const": "a", "format": "a-name-of-ours"}
    assert [passed.keyword for passed in passed_over(unknown)] == ["format"]
