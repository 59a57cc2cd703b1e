"""The demo's tools: pure, true for any number, and clear about what is no number."""

from datetime import date

import pytest

from chains.tools import tool_from
from deploy.demo import tools


def test_a_parcel_has_the_same_facts_however_its_number_is_written() -> None:
    facts = [tools.track_parcel(number) for number in ("PX482913", "px482913", "PX-482913", " PX 482913 ")]
    assert len({(fact["status"], fact["city"], fact["expected"]) for fact in facts}) == 1
    assert [fact["parcel_id"] for fact in facts] == ["PX482913", "px482913", "PX-482913", "PX 482913"]


def test_the_facts_of_a_number_never_change() -> None:
    assert tools.track_parcel("PX482913") == {
        "parcel_id": "PX482913",
        "status": "held_at_customs",
        "city": "Paris",
        "expected": "2026-10-23",
    }


def test_every_status_and_city_occurs_and_every_date_is_one() -> None:
    facts = [tools.track_parcel(f"AB{number:06}") for number in range(600)]
    assert {fact["status"] for fact in facts} == set(tools.STATUSES)
    assert {fact["city"] for fact in facts} == set(tools.CITIES)
    assert all(date.fromisoformat(fact["expected"]).year == 2026 for fact in facts)


def test_only_a_parcel_that_is_not_delivered_can_be_redirected() -> None:
    for number in range(50):
        parcel_id = f"NW{number:06}"
        if tools.track_parcel(parcel_id)["status"] == "delivered":
            with pytest.raises(ValueError, match=f"{parcel_id} was delivered and cannot be redirected"):
                tools.change_address(parcel_id, "12 Alder Lane, Leeds")
        else:
            result = tools.change_address(parcel_id, " 12 Alder Lane, Leeds ")
            assert result["address"] == "12 Alder Lane, Leeds"
            assert result["confirmed"] is True
            assert result["reference"].startswith("CH-")


def test_a_reference_belongs_to_its_parcel_and_address() -> None:
    one = tools.change_address("PX482913", "1 Mill Road")
    assert one == tools.change_address("PX482913", "1 Mill Road")
    assert one["reference"] != tools.change_address("PX482913", "2 Mill Road")["reference"]


def test_an_empty_address_is_refused() -> None:
    with pytest.raises(ValueError, match="the new address is empty"):
        tools.change_address("PX482913", "  ")


@pytest.mark.parametrize("reason", tools.REASONS)
def test_a_complaint_has_a_ticket_of_its_own(reason: tools.Reason) -> None:
    result = tools.open_complaint("PX482913", reason)
    assert result["reason"] == reason
    assert result["answer_within_days"] == 2
    assert result["ticket"].startswith("TK")
    assert result["ticket"] != tools.open_complaint("PX482914", reason)["ticket"]


def test_an_unknown_reason_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="damaged, lost, late, wrong_item, found 'ugly'"):
        tools.open_complaint("PX482913", "ugly")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["", "482913", "PX", "PX48", "ABCD123456", "PX48291304567", "12AB34"])
def test_what_is_no_number_is_refused_and_shown(number: str) -> None:
    assert not tools.is_parcel_id(number)
    with pytest.raises(ValueError, match=f"{number!r} is not a parcel number"):
        tools.track_parcel(number)


@pytest.mark.parametrize("number", ["PX482913", "rr123456789cn", "PX-482913", "Q1234567", "ABC123456"])
def test_the_usual_forms_are_numbers(number: str) -> None:
    assert tools.is_parcel_id(number)
    assert tools.track_parcel(number)["parcel_id"] == number


def test_the_reasons_reach_the_model_as_a_choice() -> None:
    schema = tool_from(tools.open_complaint).schema["function"]
    assert schema["parameters"]["properties"]["reason"]["enum"] == list(tools.REASONS)
    assert schema["description"].startswith("Open a complaint")
