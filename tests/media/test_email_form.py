"""E-mail destinations: which addresses are taken, and which are the same one."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from notifier.media.email import EmailNotification

MEDIUM = EmailNotification()


def refusal(settings: object) -> str:
    with pytest.raises(ValidationError) as refused:
        MEDIUM.validate_settings(settings)
    return refused.value.messages[0]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("anna@example.org", "anna@example.org"),
        ("  anna@example.org\n", "anna@example.org"),
        ("Anna.Lie+x@Example.ORG", "Anna.Lie+x@Example.ORG"),
        ("anna@bücher.example", "anna@bücher.example"),
        ("o'brien@example.org", "o'brien@example.org"),
    ],
)
def test_an_address_is_kept_as_it_was_written(written: str, kept: str) -> None:
    assert MEDIUM.validate_settings({"email_address": written}) == {"email_address": kept}


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "anna@",
        "@example.org",
        "anna@example",
        "a b@example.org",
        "anna@example.org, bob@example.org",
        "anna@example.org\nBcc: bob@example.org",
        "Anna <anna@example.org>",
        "anna@exa\0mple.org",
        5,
        ["anna@example.org"],
    ],
)
def test_what_is_no_single_address_is_refused(address: object) -> None:
    assert refusal({"email_address": address}) == "email_address: Enter a valid email address."


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("anna@[127.0.0.1]", "Write a domain such as example.org, not an IP address."),
        (
            "root@localhost",
            "This domain is the mail server itself; write one of the internet.",
        ),
        ("anna@exa\u200bmple.org", "The address has an invisible character; type it anew."),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_the_reason(
    address: str, sentence: str
) -> None:
    assert refusal({"email_address": address}) == f"email_address: {sentence}"


def test_both_spellings_of_a_domain_are_one_destination() -> None:
    assert (
        MEDIUM.canonical_address({"email_address": "anna@bücher.example"})
        == MEDIUM.canonical_address({"email_address": "anna@XN--bcher-kva.example"})
        == "anna@xn--bcher-kva.example"
    )


@pytest.mark.parametrize("address", ["Jørn@Example.org", "anna@☃.example"])
def test_a_row_with_an_address_that_is_refused_now_can_still_be_saved(address: str) -> None:
    assert MEDIUM.canonical_address({"email_address": address}) == address.casefold()


def test_an_address_has_at_most_254_characters() -> None:
    local = "x" * 64
    domain = ".".join(["y" * 60] * 4)
    assert "at most 254 characters" in refusal({"email_address": f"{local}@{domain}"})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "email_address: This field is required."),
        ({"email_address": ""}, "email_address: This field is required."),
        ({"email_address": None}, "email_address: This field is required."),
        (
            {"email_address": "anna@example.org", "cc": "x", "bcc": "x"},
            "bcc, cc: unknown; a Email destination has email_address.",
        ),
        ("anna@example.org", 'Settings must be an object like {"email_address": …}.'),
        (None, 'Settings must be an object like {"email_address": …}.'),
    ],
)
def test_other_settings_are_refused_with_a_sentence(settings: object, sentence: str) -> None:
    assert refusal(settings) == sentence


def test_case_makes_no_other_destination() -> None:
    assert (
        MEDIUM.canonical_address({"email_address": "Anna@Example.ORG"})
        == MEDIUM.canonical_address({"email_address": "anna@example.org"})
        == "anna@example.org"
    )
    assert MEDIUM.canonical_address({"email_address": "bob@example.org"}) == "bob@example.org"
