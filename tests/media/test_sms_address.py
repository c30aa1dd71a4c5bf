"""SMS through a gateway: the address made from the number, and which numbers are taken."""

from __future__ import annotations

import phonenumbers
import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from notifier.media.sms_as_email import SMSNotification, gateway_address, to_e164

MEDIUM = SMSNotification()


@pytest.mark.parametrize(
    ("gateway", "number", "address"),
    [
        ("sms@example.com", "+345656787643", "sms+345656787643@example.com"),
        ("sms@gateway.example", "+4790909090", "sms+4790909090@gateway.example"),
        ("s.m-s@example.com", "+15005550006", "s.m-s+15005550006@example.com"),
    ],
)
def test_the_number_stands_between_the_gateways_name_and_its_domain(
    gateway: str, number: str, address: str
) -> None:
    assert gateway_address(gateway, number) == address


@given(
    local=st.text("abcxyz0189.-", min_size=1),
    domain=st.text("abcxyz0189.-", min_size=1),
    number=st.integers(10**6, 10**15 - 1).map("+{}".format),
)
def test_a_gateway_finds_the_number_behind_the_plus(local: str, domain: str, number: str) -> None:
    made = gateway_address(f"{local}@{domain}", number)
    assert made.count("@") == 1
    before, _, after = made.partition("@")
    assert after == domain
    assert before.partition("+") == (local, "+", number.removeprefix("+"))


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("+4790909090", "+4790909090"),
        ("+47 909 09 090", "+4790909090"),
        ("+47 (909) 09-090", "+4790909090"),
        ("tel:+47-909-09-090", "+4790909090"),
        (
            "+\uff14\uff17 909 09 090",
            "+4790909090",
        ),  # full-width digits, as a keyboard may give them
        ("+44 20 7946 0958", "+442079460958"),
        ("+1 (650) 253-0000", "+16502530000"),
    ],
)
def test_a_number_in_any_spelling_becomes_e164(written: str, e164: str) -> None:
    assert to_e164(written) == e164
    assert MEDIUM.validate_settings({"phone_number": written}) == {"phone_number": e164}


def test_every_country_with_an_example_is_taken() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number(region)
        if example is not None:
            written = phonenumbers.format_number(
                example, phonenumbers.PhoneNumberFormat.INTERNATIONAL
            )
            assert to_e164(written).startswith(f"+{example.country_code}")


NO_COUNTRY = "Write the number with its country, such as +47 909 09 090."
NO_NUMBER = "No such phone number can exist; check its digits and country."


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("+474747", NO_NUMBER),
        ("+47 909 09 09", NO_NUMBER),
        ("+47909090909", NO_NUMBER),
        ("+1 555", NO_NUMBER),
        ("+1 111 111 1111", NO_NUMBER),  # as long as one, but nobody has it
        ("+999 12345678", NO_COUNTRY),
        ("90909090", NO_COUNTRY),
        ("004790909090", NO_COUNTRY),
        ("call me", NO_COUNTRY),
        ("+", NO_COUNTRY),
        ("+47 909 09 090@example.com", NO_COUNTRY),
        ("+4790909090\nBcc: x@example.com", NO_COUNTRY),
    ],
)
def test_a_number_that_can_not_exist_is_refused(written: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MEDIUM.validate_settings({"phone_number": written})
    assert refused.value.messages == [f"phone_number: {sentence}"]


@given(st.text(max_size=40))
def test_whatever_is_typed_becomes_e164_or_a_sentence(written: str) -> None:
    try:
        number = to_e164(written)
    except ValidationError as refused:
        said = refused.messages[0]
        number = "+0"
    else:
        said = NO_NUMBER
    assert said in {NO_COUNTRY, NO_NUMBER}
    assert number[0] == "+"
    assert number[1:].isdecimal()
    assert number.isascii()


def test_a_number_of_more_than_40_characters_is_refused() -> None:
    with pytest.raises(ValidationError, match="at most 40 characters"):
        MEDIUM.validate_settings({"phone_number": "+47 909 09 090" + " 0" * 20})


def test_two_spellings_are_one_destination() -> None:
    one, other = (
        MEDIUM.canonical_address(MEDIUM.validate_settings({"phone_number": each}))
        for each in ("+47 909 09 090", "+4790909090")
    )
    assert one == other
