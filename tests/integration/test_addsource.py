"""`notifier addsource`."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from notifier.models import Source, SourceToken

pytestmark = pytest.mark.django_db


def addsource(*arguments: str) -> tuple[str, str]:
    """Run it; return what it wrote to standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("addsource", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_only_the_token_is_on_standard_output() -> None:
    out, err = addsource("shop")
    assert SourceToken.objects.get().sha256 == SourceToken.digest(out.removesuffix("\n"))
    assert err.strip() == "Token of source 'shop'; it is not shown again:"
    source = Source.objects.get()
    assert (source.name, source.type) == ("shop", "app")


def test_the_token_opens_the_intake(client: Client) -> None:
    token = addsource("shop")[0].strip()
    answer = client.post(
        "/api/v1/events",
        {"description": "x"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 202


def test_the_kind_of_system_may_be_said() -> None:
    addsource("alerts", "--type", "alertmanager")
    assert Source.objects.get().type == "alertmanager"


def test_again_it_makes_another_token_for_the_same_source() -> None:
    first, second = addsource("shop"), addsource("shop", "--type", "cron")
    assert first[0] != second[0]
    assert Source.objects.get().type == "app"
    assert SourceToken.objects.filter(revoked_at=None).count() == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a:b"], "A source's name holds letters, digits, spaces and . _ - / @ only"),
        ([""], "This field cannot be blank."),
        (["x" * 101], "Ensure this value has at most 100 characters (it has 101)."),
        (["shop", "--type", "x" * 51], "Ensure this value has at most 50 characters (it has 51)."),
    ],
)
def test_a_bad_name_is_refused_with_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        addsource(*arguments)
    assert sentence in str(refused.value)
    assert not Source.objects.exists()
    assert not SourceToken.objects.exists()
