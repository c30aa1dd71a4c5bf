"""A person's destinations by the API: shown as Argus shows them, changed and deleted by its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.api import owning
from notifier.delivering.sending import deliver
from notifier.models import Delivery, DestinationConfig
from tests.api.conftest import Ask, asker, problem, token_of
from tests.conftest import add_phone, add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

URL = "https://receiver.example.org/hooks/very-secret-path"
SECRET = "whsec_" + "c2VjcmV0" * 4
WEBHOOK = {"media": "webhook", "settings": {"url": URL, "secret": SECRET, "previous_secret": ""}}
MAIL = {"media": "email", "settings": {"email_address": "oncall@example.org"}}


@pytest.fixture
def webhooks(settings: Settings) -> None:
    """Enable the medium whose settings are all secret."""
    settings.MEDIA_PLUGINS = ["email", "webhook"]


def make(ask: Ask, body: object) -> dict[str, Any]:
    answer = ask("POST", "/destinations", body)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def change(ask: Ask, pk: int, body: object, status: int = 200) -> Any:
    answer = ask("PATCH", f"/destinations/{pk}", body, If_Match="*")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_destination_is_shown_as_argus_shows_it(ask: Ask, anna: User) -> None:
    [synced] = ask("GET", "/destinations").json()["items"]
    assert synced == {
        "id": anna.destinations.get().pk,
        "media": {"slug": "email", "name": "Email"},
        "label": "",
        "suggested_label": "anna@example.org",
        "settings": {"email_address": "anna@example.org", "synced": True},
        "template": "",
        "created": synced["created"],
        "disabled_at": None,
        "disabled_reason": "",
    }
    other = make(ask, {**MAIL, "label": "On call"})
    assert (other["label"], other["suggested_label"]) == ("On call", "oncall@example.org")
    assert other["settings"] == {"email_address": "oncall@example.org", "synced": False}
    assert ask("GET", f"/destinations/{other['id']}").json() == other


def test_what_is_made_is_validated_and_normalised_by_its_medium(ask: Ask) -> None:
    made = make(ask, {"media": "sms", "settings": {"phone_number": "+47 909 09 090"}})
    assert made["settings"] == {"phone_number": "+4790909090"}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"media": "pager"}, "media", "There is no medium 'pager' here; see MEDIA_PLUGINS."),
        ({"settings": {}}, "settings", "email_address: This field is required."),
        ({"settings": {"email_address": "x"}}, "settings", "email_address: Enter a valid email address."),
        ({"settings": {"email_address": "ANNA@example.org"}}, "settings", "This user has a destination with that address already."),
        ({"settings": {"phone": 1}}, "settings", "phone: unknown; a Email destination has email_address."),
        ({"settings": []}, "settings", "write an object"),
        ({"label": "x" * 151}, "label", "must have at most 150 characters"),
        ({"template": "{nonsense}"}, "template", None),
        ({"managed": True}, "managed", "unknown field; known are label, media, settings, template"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_said_of_its_field(
    ask: Ask, change: dict[str, Any], field: str, message: str | None
) -> None:
    errors = problem(ask("POST", "/destinations", {**MAIL, **change}), 422)["errors"]
    assert errors.keys() == {field}
    assert message is None or errors[field] == message
    assert DestinationConfig.objects.count() == 1


def test_secrets_are_masked_and_stay_when_the_mask_comes_back(
    webhooks: None, ask: Ask, anna: User
) -> None:
    made = make(ask, WEBHOOK)
    row = anna.destinations.get(media_id="webhook")
    assert row.settings["url"] == URL
    assert made["settings"] == {"url": "••••path", "secret": "••••cmV0", "previous_secret": ""}
    assert "very-secret" not in ask("GET", "/destinations").content.decode()
    rotated = {"url": made["settings"]["url"], "secret": "", "previous_secret": "••••cmV0"}
    problem(ask("PATCH", f"/destinations/{row.pk}", {"settings": rotated}, If_Match="*"), 422)
    kept = {**made["settings"], "url": "https://other.example.org/x"}
    change(ask, row.pk, {"settings": kept})
    row.refresh_from_db()
    assert (row.settings["url"], row.settings["secret"]) == (kept["url"], SECRET)


def test_a_secret_that_is_left_out_stays_and_is_not_shown(
    webhooks: None, ask: Ask, anna: User
) -> None:
    row = anna.destinations.get(pk=make(ask, WEBHOOK)["id"])
    changed = change(ask, row.pk, {"settings": {"url": "https://other.example.org/x"}})
    assert changed["settings"]["secret"] == "••••cmV0"
    row.refresh_from_db()
    assert row.settings == {
        "url": "https://other.example.org/x",
        "secret": SECRET,
        "previous_secret": "",
    }
    changed = change(ask, row.pk, {"settings": {"secret": None, "previous_secret": SECRET}})
    row.refresh_from_db()
    assert row.settings["previous_secret"] == SECRET
    assert row.settings["secret"] == changed["settings"]["secret"] != SECRET


def test_a_secret_that_is_made_is_shown_once(webhooks: None, ask: Ask, anna: User) -> None:
    answer = ask("POST", "/destinations", {"media": "webhook", "settings": {"url": URL}})
    made = answer.json()
    row = anna.destinations.get(media_id="webhook")
    assert made["settings"]["secret"] == row.settings["secret"]
    assert made["settings"]["url"] == "••••path"
    shown = ask("GET", f"/destinations/{row.pk}")
    assert shown.json()["settings"]["secret"].startswith("••••")
    assert shown["ETag"] == answer["ETag"]


def test_another_secret_is_another_version(webhooks: None, ask: Ask, anna: User) -> None:
    pk = make(ask, WEBHOOK)["id"]
    before = ask("GET", f"/destinations/{pk}")
    row = anna.destinations.get(pk=pk)
    row.settings = {**row.settings, "secret": "whsec_b3RoZXIg" + "c2VjcmV0" * 3}
    row.save()
    after = ask("GET", f"/destinations/{pk}")
    assert before.json() == after.json(), "the masks are the same"
    body = {"label": "x"}
    problem(ask("PATCH", f"/destinations/{pk}", body, If_Match=before["ETag"]), 412)
    assert ask("PATCH", f"/destinations/{pk}", body, If_Match=after["ETag"]).status_code == 200


def test_a_synced_address_that_is_changed_is_ones_own_and_a_new_synced_one_appears(
    ask: Ask, anna: User
) -> None:
    pk = anna.destinations.get().pk
    profile = add_profile(anna, {"max_level": 1})
    shown = change(
        ask,
        pk,
        {"settings": {"email_address": "home@example.org", "synced": True}, "label": "home"},
    )
    assert shown["settings"] == {"email_address": "home@example.org", "synced": False}
    assert shown["label"] == "home"
    synced = anna.destinations.get(managed=True)
    assert synced.settings == {"email_address": "anna@example.org"}
    assert profile.destinations.get().pk == pk
    assert synced in anna.notification_profiles.get(managed=True).destinations.all()


def test_a_synced_one_that_keeps_its_address_stays_synced(ask: Ask, anna: User) -> None:
    row = anna.destinations.get()
    shown = ask("GET", f"/destinations/{row.pk}").json()
    changed = change(ask, row.pk, {"settings": shown["settings"], "label": "mine"})
    assert (changed["settings"]["synced"], changed["label"]) == (True, "mine")
    assert anna.destinations.count() == 1


def test_what_is_in_use_or_synced_is_not_deleted(ask: Ask, anna: User) -> None:
    phone = add_phone(anna)
    add_profile(anna, {"max_level": 1}, phone, name="at night")
    refused = problem(ask("DELETE", f"/destinations/{phone.pk}", If_Match="*"), 409)
    assert "it is used by at night" in refused["detail"]
    synced = anna.destinations.get(managed=True)
    anna.notification_profiles.all().delete()
    refused = problem(ask("DELETE", f"/destinations/{synced.pk}", If_Match="*"), 409)
    assert "follows its user's e-mail address" in refused["detail"]
    assert ask("DELETE", f"/destinations/{phone.pk}", If_Match="*").status_code == 204
    assert list(anna.destinations.all()) == [synced]


def test_a_destination_that_was_gone_is_sent_to_again(ask: Ask, anna: User) -> None:
    phone = add_phone(anna)
    DestinationConfig.objects.update(disabled_at=timezone.now(), disabled_reason="gone")
    assert ask("GET", f"/destinations/{phone.pk}").json()["disabled_reason"] == "gone"
    assert ask("POST", f"/destinations/{phone.pk}/enable").json()["disabled_at"] is None
    phone.refresh_from_db()
    assert phone.disabled_at is None


def test_settings_that_can_not_be_read_are_shown_empty_and_can_be_written_anew(
    webhooks: None, ask: Ask, anna: User, settings: Settings
) -> None:
    pk = make(ask, WEBHOOK)["id"]
    settings.NOTIFIER_ENCRYPTION_KEYS = ["b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgbzA="]
    assert ask("GET", f"/destinations/{pk}").json()["settings"] == {}
    refused = ask("PATCH", f"/destinations/{pk}", {"label": "x"}, If_Match="*")
    assert problem(refused, 422)["errors"].keys() == {"settings"}
    change(ask, pk, {"settings": WEBHOOK["settings"]})
    assert anna.destinations.get(pk=pk).settings["url"] == URL


def test_a_user_has_so_many_and_no_more(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owning, "MOST", 2)
    make(ask, MAIL)
    body = {**MAIL, "settings": {"email_address": "third@example.org"}}
    refused = problem(ask("POST", "/destinations", body), 409)
    assert refused["detail"].endswith("which is the most; delete one first.")
    assert DestinationConfig.objects.count() == 2


def test_a_test_is_sent_and_followed(
    ask: Ask, anna: User, counting: list[str], queue: Any, django_capture_on_commit_callbacks: Any
) -> None:
    row = DestinationConfig.objects.create(
        user=anna, media_id="counting", settings={"address": "ok-1"}
    )
    with django_capture_on_commit_callbacks(execute=True):
        answer = ask("POST", f"/destinations/{row.pk}/test")
    assert answer.status_code == 202
    sent = answer.json()
    assert [each["name"] for each in sent["stages"]] == ["accepted", "queued"]
    assert queue.delivered == [("counting", [sent["id"]])]
    deliver("counting", worker="me")
    followed = ask("GET", f"/tests/{sent['id']}").json()["stages"]
    assert [each["name"] for each in followed] == ["accepted", "queued", "claimed", "sent"]
    assert followed[-1]["answer"] == "fine"
    Delivery.objects.update(kind=Delivery.Kind.NOTIFICATION)
    problem(ask("GET", f"/tests/{sent['id']}"), 404)


def test_tests_are_bounded_for_each_user(ask: Ask, anna: User, settings: Settings) -> None:
    settings.NOTIFIER_TEST_RATE = "1/m"
    path = f"/destinations/{anna.destinations.get().pk}/test"
    assert ask("POST", path).status_code == 202
    refused = ask("POST", path)
    assert "no more than 1/m test messages" in problem(refused, 429)["detail"]
    assert 0 < int(refused["Retry-After"]) <= 60


def test_a_medium_that_the_site_has_no_more_is_said(
    ask: Ask, anna: User, settings: Settings
) -> None:
    phone = add_phone(anna)
    settings.MEDIA_PLUGINS = ["email"]
    assert ask("GET", f"/destinations/{phone.pk}").json()["settings"] == {"phone_number": "••••"}
    problem(ask("POST", f"/destinations/{phone.pk}/test"), 409)
    refused = ask("PATCH", f"/destinations/{phone.pk}", {"label": "x"}, If_Match="*")
    assert problem(refused, 422)["errors"].keys() == {"media"}
    assert ask("DELETE", f"/destinations/{phone.pk}", If_Match="*").status_code == 204


def test_media_are_listed_with_what_their_destinations_are_made_of(
    webhooks: None, ask: Ask
) -> None:
    mail, webhook = ask("GET", "/media").json()["items"]
    assert (mail["slug"], mail["name"], mail["own_text"]) == ("email", "Email", True)
    assert mail["settings_schema"]["properties"]["email_address"]["format"] == "email"
    assert "writeOnly" not in mail["settings_schema"]["properties"]["email_address"]
    properties = webhook["settings_schema"]["properties"]
    assert {each["writeOnly"] for each in properties.values()} == {True}
    assert ask("GET", "/media/webhook").json() == webhook
    problem(ask("GET", "/media/pager"), 404)


def test_the_same_address_may_be_anothers_too(ask: Ask, ben: User) -> None:
    make(ask, MAIL)
    make(asker(token_of(ben)), MAIL)
