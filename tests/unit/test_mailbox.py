"""Which mail addresses may be told, and how they go over the wire."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from notifier.mailbox import check, to_ascii


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("anna@example.org", "anna@example.org"),
        ("Anna+x@Example.ORG", "Anna+x@Example.ORG"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),  # IDNA 2008: no ss
        ("anna@пример.рф", "anna@xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_a_domain_goes_over_the_wire_in_a_labels(address: str, wire: str) -> None:
    check(address)
    assert to_ascii(address) == wire


NO_DOMAIN = "No such domain can exist; check what is after the @."
NO_IP = "Write a domain such as example.org, not an IP address."
OWN = "This domain is the mail server itself; write one of the internet."
NO_ASCII = "Before the @ only a-z, digits and ASCII signs can be sent to."
INVISIBLE = "The address has an invisible character; type it anew."


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("anna@☃.example", NO_DOMAIN),
        (f"anna@{'ü' * 70}.example", NO_DOMAIN),
        ("anna@[127.0.0.1]", NO_IP),
        ("anna@[IPv6:::1]", NO_IP),
        ("anna@10.0.0.12", NO_IP),
        ("anna@2130706433", NO_IP),
        ("anna@localhost", OWN),
        ("anna@LOCALHOST", OWN),
        ("anna@mail.localhost.", OWN),
        ("anna@\uff4cocalhost", OWN),  # full-width
        ("anna@localhost.localdomain", OWN),
        ("jørn@example.org", NO_ASCII),
        ("an\u200bna@example.org", NO_ASCII),
        ("anna@exa\u200bmple.org", INVISIBLE),
        ("anna@exa\u202emple.org", NO_DOMAIN),
        ("an\0na@example.org", INVISIBLE),
    ],
)
def test_what_leads_nowhere_or_to_this_machine_is_refused(address: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check(address)
    assert refused.value.messages == [sentence]
