"""The admin's pages, for a superuser and for others."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifier.admin.sources import MappingForm
from notifier.ids import new_event_id
from notifier.intake.ingesting import ingest
from notifier.models import (
    ApiToken,
    Attempt,
    DailyCount,
    Delivery,
    DestinationConfig,
    Event,
    Filter,
    Gate,
    Heartbeat,
    Incident,
    NotificationProfile,
    Preferences,
    Source,
    SourceToken,
    Timeslot,
)
from notifier.models.timeslot import day_bits
from tests.conftest import add_phone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OURS = [model for model in admin.site._registry if model._meta.app_label == "notifier"]
READ_ONLY = {
    "apitoken",
    "dailycount",
    "delivery",
    "event",
    "gate",
    "heartbeat",
    "incident",
    "quarantinedevent",
}


@pytest.fixture(autouse=True)
def rows(anna: User, source: Source) -> None:
    """At least one row of each kind."""
    incident = Incident.objects.create(
        source=source, incident_key="db1", level=2, start_time=timezone.now(), last_sequence=1
    )
    event = Event.objects.create(
        id=new_event_id(),
        source=source,
        type="STA",
        level=2,
        description="<b>Disk</b> full",
        timestamp=timezone.now(),
        incident=incident,
        sequence=1,
        open=True,
        acked=False,
    )
    delivery = Delivery.objects.create(
        event=event, destination=anna.destinations.get(), user=anna, medium="email", urgency=2
    )
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now(),
        duration_ms=5,
        worker="w1",
        outcome="temporary",
        reason="timeout",
        answer="<i>slow</i>",
    )
    ingest({"description": "\0"}, "a message")
    Heartbeat.objects.create(name="sweep", at=timezone.now())
    SourceToken.issue(source)
    ApiToken.issue(anna, name="tests", scopes=["read"])
    Gate.objects.create(medium="email")
    DailyCount.objects.create(day="2026-11-23", subject="event", state="dispatched", count=7)


def url(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:notifier_{model._meta.model_name}_{page}", args=args)


def messages_of(answer: Any) -> list[str]:
    return [str(each) for each in answer.context["messages"]]


def form_errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


@pytest.mark.parametrize("model", OURS)
def test_every_list_and_every_row_has_a_page(admin_client: Client, model: type[Model]) -> None:
    first = model._default_manager.order_by("pk").first()
    assert first is not None
    for page in (url(model, "changelist"), url(model, "change", first.pk)):
        answer = admin_client.get(page)
        assert answer.status_code == 200
        assert "<b>Disk" not in answer.content.decode()
        assert "<i>slow" not in answer.content.decode()


@pytest.mark.parametrize("model", OURS)
def test_what_can_be_added_has_a_page_for_it(admin_client: Client, model: type[Model]) -> None:
    status = 403 if model._meta.model_name in READ_ONLY else 200
    assert admin_client.get(url(model, "add")).status_code == status


@pytest.mark.parametrize("model", OURS)
def test_every_list_can_be_searched_and_filtered(admin_client: Client, model: type[Model]) -> None:
    model_admin = admin.site._registry[model]
    if model_admin.search_fields:
        assert admin_client.get(url(model, "changelist"), {"q": "anna"}).status_code == 200
    page = admin_client.get(url(model, "changelist"))
    choices = re.findall(r'href="(\?[^"]+)"', page.content.decode())
    for choice in choices[:15]:
        found = admin_client.get(url(model, "changelist") + choice.replace("&amp;", "&"))
        assert found.status_code == 200


@pytest.mark.parametrize("model", OURS)
def test_no_list_asks_once_per_row(
    admin_client: Client, model: type[Model], django_user_model: type[User]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(url(model, "changelist"))
        return len(captured)

    queries()  # content types are looked up once
    before = queries()
    for number in range(5):
        django_user_model.objects.create_user(f"u{number}", email=f"u{number}@example.org")
        Source.objects.create(name=f"source {number}")
    assert queries() <= before


def test_who_is_nobody_sees_nothing(client: Client, anna: User) -> None:
    client.force_login(anna)
    for model in OURS:
        assert client.get(url(model, "changelist")).status_code == 302


# read-only rows


@pytest.mark.parametrize("model", [each for each in OURS if each._meta.model_name in READ_ONLY])
def test_what_happened_can_not_be_rewritten(admin_client: Client, model: type[Model]) -> None:
    first = model._default_manager.order_by("pk").first()
    assert first is not None
    assert admin_client.post(url(model, "change", first.pk), {}).status_code == 403
    assert admin_client.post(url(model, "delete", first.pk), {"post": "yes"}).status_code == 403
    page = admin_client.get(url(model, "changelist")).content.decode()
    assert "delete_selected" not in page


# sources


INLINES = {
    f"{inline}-{count}_FORMS": "0"
    for inline in ("tokens", "signing_secrets")
    for count in ("TOTAL", "INITIAL")
}


def add_source(admin_client: Client, **fields: str) -> Any:
    data = {"name": "bank", "type": "app", "default_level": "3", "limits": "", **INLINES, **fields}
    return admin_client.post(url(Source, "add"), data, follow=True)


def test_a_new_source_shows_its_token_once(admin_client: Client) -> None:
    answer = add_source(admin_client)
    shown = re.findall(r"nts_[\w-]{43}", answer.content.decode())
    assert len(shown) == 1
    bank = Source.objects.get(name="bank")
    assert SourceToken.objects.get(source=bank).sha256 == SourceToken.digest(shown[0])
    for page in (url(Source, "change", bank.pk), url(Source, "changelist")):
        assert shown[0] not in admin_client.get(page).content.decode()


def test_changing_a_source_makes_no_token(admin_client: Client, source: Source) -> None:
    data = {
        "name": "shop",
        "type": "cron",
        "default_level": "2",
        "limits": "{}",
        **INLINES,
        "tokens-TOTAL_FORMS": "1",
        "tokens-INITIAL_FORMS": "1",
        "tokens-0-id": str(source.tokens.get().pk),
        "tokens-0-source": str(source.pk),
    }
    answer = admin_client.post(url(Source, "change", source.pk), data, follow=True)
    source.refresh_from_db()
    assert source.type == "cron"
    assert "nts_" not in "".join(messages_of(answer))
    assert SourceToken.objects.count() == 1


def test_a_source_with_a_colon_is_refused(admin_client: Client) -> None:
    errors = form_errors(add_source(admin_client, name="a:b"))
    assert errors["name"][0].startswith("A source's name holds letters, digits, spaces")
    assert not SourceToken.objects.exclude(source__name="shop").exists()


def test_tokens_are_issued_and_revoked_by_actions(admin_client: Client, source: Source) -> None:
    def act(action: str) -> list[str]:
        data = {"action": action, "_selected_action": [source.pk]}
        return messages_of(admin_client.post(url(Source, "changelist"), data, follow=True))

    [issued] = act("issue_token")
    assert issued.startswith("Token of shop: nts_")
    assert source.tokens.filter(revoked_at=None).count() == 2
    assert act("revoke_tokens") == ["2 tokens revoked."]
    assert not source.tokens.filter(revoked_at=None).exists()
    assert act("revoke_tokens") == ["0 tokens revoked."]


# profiles and filters


def profile_data(owner: User, **fields: Any) -> dict[str, Any]:
    return {
        "user": owner.pk,
        "name": "mine",
        "timeslot": owner.timeslots.get().pk,
        "filters": [owner.notifier_filters.get().pk],
        "destinations": [owner.destinations.get(managed=True).pk],
        "active": "on",
        **fields,
    }


def test_a_profile_of_ones_own_parts_is_taken(admin_client: Client, anna: User) -> None:
    answer = admin_client.post(url(NotificationProfile, "add"), profile_data(anna), follow=True)
    assert answer.status_code == 200
    profile = NotificationProfile.objects.get(name="mine")
    assert profile.destinations.get() == anna.destinations.get()
    assert not profile.managed


@pytest.mark.parametrize("name", ["destinations", "filters", "timeslot"])
def test_a_profile_of_another_users_parts_is_refused(
    admin_client: Client, anna: User, django_user_model: type[User], name: str
) -> None:
    bob = django_user_model.objects.create_user("bob", email="bob@example.org")
    foreign = profile_data(bob)[name]
    answer = admin_client.post(
        url(NotificationProfile, "add"), profile_data(anna, **{name: foreign})
    )
    errors = form_errors(answer)
    assert list(errors) == [name]
    assert "profile owner's" in errors[name][0]
    assert not NotificationProfile.objects.filter(name="mine").exists()


def test_a_profile_without_a_user_is_no_traceback(admin_client: Client, anna: User) -> None:
    answer = admin_client.post(url(NotificationProfile, "add"), profile_data(anna, user=""))
    assert form_errors(answer)["user"] == ["This field is required."]


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ('{"tags": ["a=~("]}', "tags.0: '(' is no RE2 expression (missing ): ()"),
        ('{"sources": ["a\\u0000"]}', "sources.0: holds a NUL character; remove it"),
        ("[1]", 'conditions: write an object, such as {"max_level": 2'),
        ("{", "Enter a valid JSON."),
    ],
)
def test_a_filter_that_can_not_be_judged_is_refused(
    admin_client: Client, anna: User, conditions: str, sentence: str
) -> None:
    data = {"user": anna.pk, "name": "mine", "conditions": conditions}
    errors = form_errors(admin_client.post(url(Filter, "add"), data))
    assert errors["conditions"][0].startswith(sentence)


def test_a_filter_is_taken_as_it_was_written(admin_client: Client, anna: User) -> None:
    conditions = {"max_level": 2, "tags": ["host=~db[0-9]"]}
    data = {"user": anna.pk, "name": "mine", "conditions": json.dumps(conditions)}
    admin_client.post(url(Filter, "add"), data)
    assert Filter.objects.get(name="mine").conditions == conditions


# destinations


def add_destination(admin_client: Client, user: User, medium: str, settings: object) -> Any:
    data = {"user": user.pk, "media_id": medium, "label": "", "settings": json.dumps(settings)}
    return admin_client.post(url(DestinationConfig, "add"), data, follow=True)


def test_a_number_is_kept_as_e164(admin_client: Client, anna: User) -> None:
    add_destination(admin_client, anna, "sms", {"phone_number": "+47 909 09 090"})
    assert DestinationConfig.objects.get(media_id="sms").settings == {"phone_number": "+4790909090"}


def test_the_same_number_again_is_refused_with_a_sentence(admin_client: Client, anna: User) -> None:
    add_phone(anna)
    answer = add_destination(admin_client, anna, "sms", {"phone_number": "+47 909 09 090"})
    assert form_errors(answer)["settings"] == [
        "This user has a destination with that address already."
    ]


@pytest.mark.parametrize(
    ("medium", "settings", "field", "sentence"),
    [
        (
            "sms",
            {"phone_number": "+474747"},
            "settings",
            "phone_number: No such phone number can exist; check its digits and country.",
        ),
        (
            "email",
            {"email_address": "x"},
            "settings",
            "email_address: Enter a valid email address.",
        ),
        (
            "pigeon",
            {"loft": 1},
            "media_id",
            "Select a valid choice. pigeon is not one of the available choices.",
        ),
    ],
)
def test_a_bad_destination_is_refused_with_a_sentence(
    admin_client: Client, anna: User, *, medium: str, settings: object, field: str, sentence: str
) -> None:
    errors = form_errors(add_destination(admin_client, anna, medium, settings))
    assert errors[field] == [sentence]
    assert anna.destinations.count() == 1


def test_a_synced_destination_is_only_shown(admin_client: Client, anna: User) -> None:
    synced = anna.destinations.get()
    page = admin_client.get(url(DestinationConfig, "change", synced.pk))
    assert page.status_code == 200
    assert "_save" not in page.content.decode()
    data = {"user": anna.pk, "media_id": "email", "settings": '{"email_address": "x@example.org"}'}
    assert admin_client.post(url(DestinationConfig, "change", synced.pk), data).status_code == 403
    page = admin_client.post(url(DestinationConfig, "delete", synced.pk), {"post": "yes"})
    assert "protected related objects" in page.content.decode()
    selected = {"action": "delete_selected", "_selected_action": [synced.pk], "post": "yes"}
    admin_client.post(url(DestinationConfig, "changelist"), selected)
    assert anna.destinations.get().settings == {"email_address": "anna@example.org"}


def test_another_destination_can_be_changed_and_deleted(admin_client: Client, anna: User) -> None:
    phone = add_phone(anna)
    data = {
        "user": anna.pk,
        "media_id": "sms",
        "label": "on call",
        "settings": '{"phone_number": "+4791919191"}',
    }
    admin_client.post(url(DestinationConfig, "change", phone.pk), data)
    phone.refresh_from_db()
    assert (phone.label, phone.settings) == ("on call", {"phone_number": "+4791919191"})
    admin_client.post(url(DestinationConfig, "delete", phone.pk), {"post": "yes"})
    assert not DestinationConfig.objects.filter(pk=phone.pk).exists()


# timeslots and time zones


def save_timeslot(admin_client: Client, timeslot: Timeslot, **fields: Any) -> Any:
    recurrence = timeslot.recurrences.get()
    data = {
        "user": timeslot.user_id,
        "name": timeslot.name,
        "recurrences-TOTAL_FORMS": "1",
        "recurrences-INITIAL_FORMS": "1",
        "recurrences-0-id": recurrence.pk,
        "recurrences-0-timeslot": timeslot.pk,
        "recurrences-0-start": "22:00",
        "recurrences-0-end": "06:00",
        **{f"recurrences-0-{name}": value for name, value in fields.items()},
    }
    return admin_client.post(url(Timeslot, "change", timeslot.pk), data)


def test_the_days_of_a_recurrence_come_back_as_they_were_ticked(
    admin_client: Client, anna: User
) -> None:
    timeslot = anna.timeslots.get()
    assert save_timeslot(admin_client, timeslot, days=["1", "5", "7"]).status_code == 302
    recurrence = timeslot.recurrences.get()
    assert recurrence.days == day_bits(1, 5, 7)
    assert (recurrence.start, recurrence.end) == (dt.time(22), dt.time(6))
    page = admin_client.get(url(Timeslot, "change", timeslot.pk)).content.decode()
    boxes = re.findall(r'<input[^>]*name="recurrences-0-days"[^>]*>', page)
    ticked = [re.findall(r'value="(\d)"', box)[0] for box in boxes if "checked" in box]
    assert len(boxes) == 7
    assert ticked == ["1", "5", "7"]


@pytest.mark.parametrize("days", [[], ["8"], ["0"]])
def test_a_recurrence_without_days_is_refused(
    admin_client: Client, anna: User, days: list[str]
) -> None:
    answer = save_timeslot(admin_client, anna.timeslots.get(), days=days)
    assert answer.status_code == 200
    assert answer.context["inline_admin_formsets"][0].formset.errors[0]["days"]
    assert anna.timeslots.get().recurrences.get().days == 127


def test_a_time_zone_that_does_not_exist_is_refused(admin_client: Client, anna: User) -> None:
    page = url(Preferences, "change", anna.pk)
    answer = admin_client.post(page, {"user": anna.pk, "time_zone": "Oslo"})
    assert form_errors(answer)["time_zone"] == [
        "Oslo is not a time zone; use a name like Europe/Oslo."
    ]
    admin_client.post(page, {"user": anna.pk, "time_zone": "Europe/Oslo"})
    assert Preferences.objects.get(user=anna).time_zone == "Europe/Oslo"


# users


def test_a_user_with_a_synced_destination_can_be_deleted(
    admin_client: Client, django_user_model: type[User]
) -> None:
    bob = django_user_model.objects.create_user("bob", email="bob@example.org")
    page = reverse("admin:auth_user_delete", args=[bob.pk])
    admin_client.post(page, {"post": "yes"})
    assert not django_user_model.objects.filter(username="bob").exists()


def test_the_list_of_destinations_shows_their_addresses_and_their_str_does_not(
    admin_client: Client, anna: User
) -> None:
    phone, other = add_phone(anna), add_phone(anna, "+4790909091")
    page = admin_client.get(reverse("admin:notifier_destinationconfig_changelist")).content.decode()
    for each in (phone, other):
        assert f">{each.settings['phone_number']}</a>" in page
        assert str(each) == "SMS of anna"


# mappings, limits and signing secrets


def mapping_url(source: Source) -> str:
    return reverse("admin:notifier_source_mapping", args=[source.pk])


MAPPING = {"description": "message", "incident_key": "host", "type": "state"}
SAMPLE = {"message": "Disk <b>full</b>", "host": "db1", "state": "down"}


def test_a_mapping_is_tried_on_a_sample_and_nothing_is_stored(
    admin_client: Client, source: Source
) -> None:
    before = Event.objects.count()
    data = {"mapping": json.dumps(MAPPING), "sample": json.dumps(SAMPLE), "_try": "x"}
    page = admin_client.post(mapping_url(source), data).content.decode()
    assert "1 event, of which nothing is stored" in page
    assert "Disk &lt;b&gt;full&lt;/b&gt;" in page
    assert "STA" in page
    assert "<td>db1</td>" in page
    assert Event.objects.count() == before
    source.refresh_from_db()
    assert source.mapping == {}


def test_a_mapping_is_saved_with_or_without_a_sample(admin_client: Client, source: Source) -> None:
    for mapping, sample in ((MAPPING, json.dumps(SAMPLE)), ({"description": "'x'"}, ""), ({}, "")):
        data = {"mapping": json.dumps(mapping), "sample": sample, "_save": "Save"}
        answer = admin_client.post(mapping_url(source), data, follow=True)
        assert messages_of(answer) == ["The mapping of shop is in force."]
        source.refresh_from_db()
        assert source.mapping == mapping
    admin_client.post(mapping_url(source), {"mapping": "", "sample": "", "_save": "Save"})
    source.refresh_from_db()
    assert source.mapping == {}


@pytest.mark.parametrize(
    ("mapping", "sample", "sentence"),
    [
        ('{"description": "a["}', "{}", "description: no JMESPath: "),
        ("5", "{}", "Write an object"),
        ('{"level": "a"}', '{"a": 1}', "description: required"),
        ("[]", "{}", "Write an object"),
        ("{", "{}", "Enter a valid JSON"),
        ('{"description": "a"}', "{}", "mapping.description: finds no text in this body"),
        ('{"description": "a"}', "{", "body: not JSON"),
        ('{"description": "a"}', '{"a": 1, "a": 2}', "a: the key occurs twice"),
        ('{"description": "sum(@)"}', '[["x"]]', "mapping.description: fails here"),
        ('{"description": "a"}', '{"a": ' + "[" * 50 + "]" * 50 + "}", "body: nested more than 20"),
        ('{"description": "a"}', "\ud800", "body: not UTF-8"),
    ],
)
def test_a_mapping_that_does_not_work_is_told_and_not_saved(
    admin_client: Client, source: Source, mapping: str, sample: str, sentence: str
) -> None:
    form = MappingForm({"mapping": mapping, "sample": sample}, instance=source)
    assert sentence in str(form.errors.as_data())
    if sample.isascii():
        data = {"mapping": mapping, "sample": sample, "_save": "Save"}
        assert admin_client.post(mapping_url(source), data).status_code == 200
    source.refresh_from_db()
    assert source.mapping == {}


def test_a_mapping_is_for_whoever_may_change_its_source(
    client: Client, django_user_model: type[User], source: Source
) -> None:
    staff = django_user_model.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_source"))
    client.force_login(staff)
    assert client.get(mapping_url(source)).status_code == 403
    assert client.post(mapping_url(source), {"mapping": "{}"}).status_code == 403
    client.logout()
    assert client.get(mapping_url(source)).status_code == 302


def test_limits_are_checked_and_an_empty_box_is_none(admin_client: Client) -> None:
    errors = form_errors(add_source(admin_client, limits='{"rate": 5}'))
    assert errors["limits"][0].startswith("rate: unknown limit; known are")
    add_source(admin_client, limits="")
    assert Source.objects.get(name="bank").limits == {}
    add_source(admin_client, name="mint", limits='{"tags": 5}')
    assert Source.objects.get(name="mint").limits == {"tags": 5}


def test_signing_secrets_are_shown_once_and_rotated(admin_client: Client, source: Source) -> None:
    def act(action: str) -> list[str]:
        data = {"action": action, "_selected_action": [source.pk]}
        return messages_of(admin_client.post(url(Source, "changelist"), data, follow=True))

    first, second = act("issue_signing_secret"), act("issue_signing_secret")
    secrets = [re.search(r"whsec_\S+", said[0])[0] for said in (first, second)]  # type: ignore[index] # or it fails
    page = admin_client.get(url(Source, "change", source.pk)).content.decode()
    assert not any(secret in page for secret in secrets)
    assert f"/api/v1/intake/signed/{source.pk}" in page
    assert act("revoke_older_signing_secrets") == ["1 signing secrets revoked."]
    assert source.signing_secrets.get(revoked_at=None).secret == secrets[1]
    assert act("revoke_signing_secrets") == ["1 signing secrets revoked."]
