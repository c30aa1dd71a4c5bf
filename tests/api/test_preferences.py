"""A person's preferences by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.conftest import asker, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def test_who_changes_them_first_of_all_has_everything_of_the_first_day(
    db: None, django_user_model: type[User]
) -> None:
    django_user_model.objects.bulk_create([django_user_model(username="late")])
    late = django_user_model.objects.get(username="late")
    ask = asker(token_of(late))
    version = ask("GET", "/preferences")["ETag"]
    changed = ask("PATCH", "/preferences", {"time_zone": "Asia/Tokyo"}, If_Match=version)
    assert changed.json()["time_zone"] == "Asia/Tokyo"
    assert late.notification_profiles.filter(managed=True).count() == 1
    assert late.timeslots.count() == 1
