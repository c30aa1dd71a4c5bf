"""The index sees every change, whoever wrote it, and by whatever way."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.models import CharField
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier import signals
from notifier.conditions import Facts
from notifier.matching import changes, current, triggers
from notifier.matching.current import Matcher, current_matcher
from notifier.matching.judging import judge
from notifier.matching.loading import load
from notifier.matching.rules import load_rules
from notifier.models import (
    Change,
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    TimeRecurrence,
    Timeslot,
)
from notifier.retention.purging import purge_for_a_while
from tests.conftest import add_phone, add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
TO_ALL = Facts(
    source_id=1,
    source="shop",
    source_type="app",
    type="LES",
    level=3,
    tags={},
    open=None,
    acked=None,
    stateful=False,
    recipients=None,
)
TO_ANNA = replace(TO_ALL, recipients=frozenset({"anna"}))

Told = set[tuple[int, int]]


def by_index() -> Told:
    """Return which profiles lead where for two events, by this process's index."""
    with current_matcher() as matcher:
        return {
            (profile.pk, destination)
            for facts in (TO_ALL, TO_ANNA)
            for profile in matcher.match(facts, NOON)
            for destination in profile.destinations
        }


def plainly() -> Told:
    """Return the same as the specification says."""
    return {
        (rule.profile.pk, destination.pk)
        for facts in (TO_ALL, TO_ANNA)
        for rule in load_rules()
        if judge(rule, facts, NOON, timezone.now()) is None
        for destination in rule.destinations
    }


def sql(statement: str, *values: bool | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


class Case:
    """Anna, told of everything by SMS at noon in Oslo; and Ben, of nothing."""

    def __init__(self, anna: User, ben: User) -> None:
        self.anna, self.ben = anna, ben
        Preferences.objects.filter(user=anna).update(time_zone="Europe/Oslo")
        self.phone = add_phone(anna)
        self.noon = Timeslot.objects.create(user=ben, name="noon")  # a timeslot may be another's
        self.hour = TimeRecurrence.objects.create(
            timeslot=self.noon, start=dt.time(13), end=dt.time(14)
        )
        self.closed = Timeslot.objects.create(user=anna, name="closed")
        self.profile = add_profile(anna, {"max_level": 5}, self.phone)
        self.profile.timeslot = self.noon
        self.profile.save()
        self.filter = self.profile.filters.get()
        self.critical = Filter.objects.create(user=anna, name="c", conditions={"max_level": 1})
        self.mail = anna.destinations.get(managed=True)

    def changed(self, row: Any, **values: Any) -> Any:
        for name, value in values.items():
            setattr(row, name, value)
        return row

    def second_profile(self) -> None:
        """Make one by rows alone."""
        [profile] = NotificationProfile.objects.bulk_create(
            [NotificationProfile(user=self.anna, name="two", timeslot=self.noon)]
        )
        [wanted] = Filter.objects.bulk_create(
            [Filter(user=self.anna, name="all", conditions={"max_level": 5})]
        )
        filters, destinations = NotificationProfile.filters, NotificationProfile.destinations
        filters.through.objects.bulk_create(
            [filters.through(notificationprofile_id=profile.pk, filter_id=wanted.pk)]
        )
        destinations.through.objects.bulk_create(
            [
                destinations.through(
                    notificationprofile_id=profile.pk, destinationconfig_id=self.mail.pk
                )
            ]
        )


P, F, D = NotificationProfile.objects, Filter.objects, DestinationConfig.objects
R, U = TimeRecurrence.objects, get_user_model().objects
THROUGH_FILTERS = NotificationProfile.filters.through.objects
THROUGH_DESTINATIONS = NotificationProfile.destinations.through.objects
LATE = {"start": dt.time(20), "end": dt.time(21)}
QUIET = {"conditions": {"max_level": 1}}
GONE = {"disabled_at": NOON}

WAYS: dict[str, Callable[[Case], object]] = {
    "profile save": lambda c: c.changed(c.profile, active=False).save(),
    "profile save of a column": lambda c: c.changed(
        c.profile, paused_until=timezone.now() + dt.timedelta(1)
    ).save(update_fields=["paused_until"]),
    "profile update": lambda c: P.filter(pk=c.profile.pk).update(active=False),
    "profile bulk_update": lambda c: P.bulk_update(
        [c.changed(c.profile, active=False)], ["active"]
    ),
    "profile bulk_create": Case.second_profile,
    "profile delete": lambda c: c.profile.delete(),
    "profile queryset delete": lambda _: P.all().delete(),
    "profile other timeslot": lambda c: P.filter(pk=c.profile.pk).update(timeslot=c.closed),
    "profile other user": lambda c: P.filter(pk=c.profile.pk).update(user=c.ben),
    "profile SQL": lambda _: sql("UPDATE notifier_notificationprofile SET active = %s", False),
    "filter save": lambda c: c.changed(c.filter, **QUIET).save(),
    "filter update": lambda c: F.filter(pk=c.filter.pk).update(**QUIET),
    "filter bulk_update": lambda c: F.bulk_update([c.changed(c.filter, **QUIET)], ["conditions"]),
    "filter delete": lambda c: c.filter.delete(),
    "filter SQL": lambda _: sql("UPDATE notifier_filter SET conditions = '{}'"),
    "filters add": lambda c: c.profile.filters.add(c.critical),
    "filters remove": lambda c: c.profile.filters.remove(c.filter),
    "filters clear": lambda c: c.profile.filters.clear(),
    "filters set": lambda c: c.profile.filters.set([c.critical]),
    "filters reverse": lambda c: c.critical.profiles.add(c.profile),
    "filters rows": lambda c: THROUGH_FILTERS.filter(filter=c.filter).delete(),
    "filters SQL": lambda _: sql("DELETE FROM notifier_notificationprofile_filters"),
    "filters SQL update": lambda c: sql(
        "UPDATE notifier_notificationprofile_filters SET filter_id = %s WHERE filter_id = %s",
        c.critical.pk,
        c.filter.pk,
    ),
    "destinations add": lambda c: c.profile.destinations.add(c.mail),
    "destinations remove": lambda c: c.profile.destinations.remove(c.phone),
    "destinations clear": lambda c: c.profile.destinations.clear(),
    "destinations set": lambda c: c.profile.destinations.set([c.mail]),
    "destinations reverse": lambda c: c.phone.profiles.clear(),
    "destinations rows": lambda _: THROUGH_DESTINATIONS.all().delete(),
    "destination save": lambda c: c.changed(c.phone, **GONE).save(),
    "destination update": lambda c: D.filter(pk=c.phone.pk).update(**GONE),
    "destination bulk_update": lambda c: D.bulk_update(
        [c.changed(c.phone, **GONE)], ["disabled_at"]
    ),
    "destination moved": lambda c: D.filter(pk=c.phone.pk).update(user=c.ben),
    "destination delete": lambda c: c.phone.delete(),
    "recurrence save": lambda c: c.changed(c.hour, **LATE).save(),
    "recurrence create": lambda c: R.create(timeslot=c.anna.timeslots.get(name="closed")),
    "recurrence update": lambda c: R.filter(pk=c.hour.pk).update(**LATE),
    "recurrence bulk_update": lambda c: R.bulk_update([c.changed(c.hour, **LATE)], [*LATE]),
    "recurrence bulk_create": lambda c: R.bulk_create([TimeRecurrence(timeslot=c.closed)]),
    "recurrence moved": lambda c: R.filter(pk=c.hour.pk).update(timeslot=c.closed),
    "recurrence delete": lambda c: c.hour.delete(),
    "recurrence SQL": lambda _: sql("DELETE FROM notifier_timerecurrence"),
    "preferences save": lambda c: c.changed(
        Preferences.objects.get(user=c.anna), time_zone="Asia/Tokyo"
    ).save(),
    "preferences update": lambda _: Preferences.objects.update(time_zone="Asia/Tokyo"),
    "preferences delete": lambda _: Preferences.objects.all().delete(),
    "user save": lambda c: c.changed(c.anna, is_active=False).save(),
    "user update": lambda c: U.filter(pk=c.anna.pk).update(is_active=False),
    "user bulk_update": lambda c: U.bulk_update(
        [c.changed(c.anna, is_active=False)], ["is_active"]
    ),
    "user renamed": lambda c: U.filter(pk=c.anna.pk).update(username="anne"),
    "user delete": lambda c: c.anna.delete(),
    "user SQL": lambda _: sql("UPDATE auth_user SET is_active = %s", False),
}
"""A way of writing each table, that changes who is told what where."""
OPENS_ANOTHER = {"recurrence create", "recurrence bulk_create"}


@pytest.fixture
def case(anna: User, django_user_model: type[User]) -> Case:
    return Case(anna, django_user_model.objects.create_user("ben"))


@pytest.mark.parametrize("way", WAYS)
def test_the_index_sees_a_change_by(case: Case, way: str) -> None:
    if way in OPENS_ANOTHER:
        P.filter(pk=case.profile.pk).update(timeslot=case.closed)
    before = by_index()
    assert before == plainly()
    WAYS[way](case)
    after = plainly()
    assert after != before
    assert by_index() == after


def test_what_did_not_change_costs_one_query(case: Case) -> None:
    by_index()
    U.filter(pk=case.anna.pk).update(last_login=Now(), email="a@example.org")
    with CaptureQueriesContext(connection) as captured:
        by_index()
    assert len(captured) == 1


@pytest.mark.parametrize("people", [1, 20])
def test_a_refresh_makes_as_many_queries_however_many_changed(
    case: Case, django_user_model: type[User], people: int
) -> None:
    for number in range(25):
        user = django_user_model.objects.create_user(f"u{number}", email=f"u{number}@example.org")
        add_profile(user, {"max_level": 5})
    before = by_index()
    chosen = U.order_by("pk").values("pk")[2 : 2 + people]
    P.filter(user__in=[row["pk"] for row in chosen]).update(active=False)
    with CaptureQueriesContext(connection) as captured:
        after = by_index()
    # the look, two for who rests on what changed; profiles, recurrences, filters, destinations, two
    # M2M tables; the second look
    assert len(captured) == 10
    assert len(after) < len(before)
    assert after == plainly()


def test_a_change_that_was_seen_is_loaded_once(case: Case) -> None:
    matcher = Matcher()
    matcher.refresh()
    case.profile.delete()
    matcher.refresh()
    with CaptureQueriesContext(connection) as captured:
        matcher.refresh()
    assert len(captured) == 1


def test_a_load_that_broke_off_is_made_anew(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = Matcher()
    matcher.refresh()
    P.update(active=False)
    with monkeypatch.context() as broken:
        broken.setattr("notifier.matching.current.load", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            matcher.refresh()
    matcher.refresh()
    assert matcher.match(TO_ALL, NOON) == []


def test_a_change_while_it_loads_is_loaded_too(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = Matcher()
    writes: list[Callable[[], object]] = [lambda: F.update(**QUIET), lambda: None]

    def load_and_be_late(*args: Any) -> None:
        load(*args)
        writes.pop(0)()

    monkeypatch.setattr(current, "load", load_and_be_late)
    matcher.refresh()
    assert writes == []
    assert matcher.match(TO_ALL, NOON) == []


def test_changes_of_others_that_never_cease_keep_nobody_waiting(
    case: Case, monkeypatch: pytest.MonkeyPatch, django_user_model: type[User]
) -> None:
    matcher = Matcher()
    matcher.refresh()
    P.update(active=False)
    loads: list[object] = []

    def load_while_others_change(*args: Any) -> None:
        load(*args)
        loads.append(args)
        assert len(loads) < 10
        user = django_user_model.objects.create_user(f"u{len(loads)}", email="u@example.org")
        add_profile(user, {"max_level": 5})

    with monkeypatch.context() as busy:
        busy.setattr(current, "load", load_while_others_change)
        for times in (1, 2):
            matcher.refresh()
            assert len(loads) == times
            assert len(matcher.match(TO_ALL, NOON)) == times - 1
    matcher.refresh()
    assert {profile.pk for profile in matcher.match(TO_ALL, NOON)} == {pk for pk, _ in plainly()}


# the log


def marked() -> changes.Mark:
    """Return the mark of a reader who has seen all, also what this test's transaction wrote."""
    mark, owners = changes.look(None)
    assert owners is None
    return changes.look(mark)[0]


def test_a_change_of_everybody_makes_it_load_all(case: Case) -> None:
    mark = marked()
    assert changes.look(mark)[1] == frozenset()
    Change.objects.create(transaction=2**62, owner=None)
    assert changes.look(mark)[1] is None


def test_a_reader_that_was_away_for_long_loads_all(case: Case) -> None:
    mark = marked()
    old = replace(mark, now=mark.now - changes.TOO_LONG * 1.1)
    assert changes.look(old)[1] is None
    recent = replace(mark, now=mark.now - changes.TOO_LONG * 0.9)
    assert changes.look(recent)[1] == frozenset()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL says so itself")
def test_another_file_behind_the_same_name_makes_it_load_all(case: Case) -> None:
    mark = marked()
    assert changes.look(replace(mark, position=mark.position + 1000))[1] is None
    # whose ids may have come as far again
    other = frozenset((pk, number, "another time") for pk, number, _ in mark.seen)
    assert changes.look(replace(mark, seen=other))[1] is None


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's is a file")
def test_tables_restored_from_a_backup_make_it_load_all(case: Case) -> None:
    matcher = Matcher()
    matcher.refresh()
    assert {profile.pk for profile in matcher.match(TO_ALL, NOON)} == {case.profile.pk}
    # as `pg_restore --clean` does: triggers come last, and the log is as it was
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    triggers.drop_triggers()
    F.update(**QUIET)
    sql("CREATE TABLE restored (LIKE notifier_change INCLUDING ALL)")
    sql("INSERT INTO restored OVERRIDING SYSTEM VALUE SELECT * FROM notifier_change")
    sql("DROP TABLE notifier_change")
    sql("ALTER TABLE restored RENAME TO notifier_change")
    matcher.refresh()
    assert matcher.match(TO_ALL, NOON) == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers are serial")
def test_another_server_behind_the_same_name_makes_it_load_all(case: Case) -> None:
    mark = marked()
    assert changes.look(replace(mark, database=f"2026-01-01 {mark.database}"))[1] is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers are serial")
def test_a_transaction_longer_than_the_log_is_kept_makes_it_load_all(case: Case) -> None:
    """What it wrote is old on the day it is committed, and may be purged before anybody looks."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE notifier_filter SET conditions = '{}'")
            cursor.execute(
                "UPDATE notifier_change SET at = %s", [timezone.now() - changes.KEEP * 1.1]
            )
            cursor.execute("SELECT pg_current_xact_id()::text::bigint")
            [own] = cursor.fetchone()
        while (mark := marked()).position < own:
            time.sleep(0.01)  # for the databases of other tests, whose transactions count as well
        hours_ago = replace(mark, since=mark.since - changes.TOO_LONG * 1.1)
        assert changes.look(hours_ago) == (replace(hours_ago, now=ANY), frozenset())  # it goes on
        other.commit()
    finally:
        other.close()
    newest = Change.objects.create(transaction=0, owner="0")
    changes.forget_old()
    assert list(Change.objects.all()) == [newest]
    assert changes.look(hours_ago)[1] is None


def test_purging_forgets_old_changes_but_the_newest(case: Case) -> None:
    newest = Change.objects.order_by("pk").last()
    assert newest
    Change.objects.update(at=Now() - changes.KEEP * 1.1)
    purge_for_a_while()
    assert list(Change.objects.all()) == [newest]


def test_purging_keeps_what_a_reader_may_need(case: Case) -> None:
    count = Change.objects.count()
    Change.objects.update(at=Now() - changes.KEEP * 0.9)
    purge_for_a_while()
    assert Change.objects.count() == count > 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers are serial")
@pytest.mark.parametrize("look_between", [False, True])
def test_what_began_before_and_is_committed_after_a_change_that_was_seen_is_seen(
    case: Case, look_between: bool
) -> None:
    other = connection.copy()
    matcher = Matcher()
    matcher.refresh()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:  # takes its transaction id, and waits
            cursor.execute("UPDATE notifier_filter SET conditions = '{}'")
        P.filter(user=case.anna, managed=True).delete()  # a later transaction, committed before
        for _ in range(1 + look_between):
            matcher.refresh()
        assert {profile.pk for profile in matcher.match(TO_ALL, NOON)} == {case.profile.pk}
        other.commit()
    finally:
        other.close()
    matcher.refresh()
    assert matcher.match(TO_ALL, NOON) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers are serial")
@pytest.mark.parametrize(
    ("what", "whose"),
    [
        ("filter", "anna"),
        ("filter", "ben"),
        ("timeslot", "anna"),
        ("timeslot", "ben"),
        ("destination", "anna"),
    ],
)
def test_a_change_is_seen_of_what_came_into_use_before_it_was_committed(
    case: Case, what: str, whose: str
) -> None:
    owner = getattr(case, whose)
    uses: dict[str, tuple[Any, str, Callable[[Any], object]]] = {
        "filter": (
            Filter.objects.create(user=owner, name="f", conditions={"max_level": 5}),
            "UPDATE notifier_filter SET conditions = '{}' WHERE id = %s",
            lambda unused: case.profile.filters.set([unused]),
        ),
        "timeslot": (
            R.create(timeslot=Timeslot.objects.create(user=owner, name="t")).timeslot,
            "DELETE FROM notifier_timerecurrence WHERE timeslot_id = %s",
            lambda unused: P.filter(pk=case.profile.pk).update(timeslot=unused),
        ),
        "destination": (
            add_phone(owner, "+4791919191"),
            "UPDATE notifier_destinationconfig SET disabled_at = now() WHERE id = %s",
            lambda unused: case.profile.destinations.set([unused]),
        ),
    }
    unused, statement, use = uses[what]
    by_index()
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(statement, [unused.pk])
        use(unused)
        before = by_index()
        assert before == plainly()
        other.commit()
    finally:
        other.close()
    assert by_index() == plainly() != before


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers are serial")
def test_what_is_rolled_back_was_never_there(case: Case) -> None:
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE notifier_filter SET conditions = '{}'")
        before = by_index()
        other.rollback()
    finally:
        other.close()
    assert by_index() == before == plainly()


@pytest.mark.django_db(transaction=True)
def test_a_flushed_database_is_seen(case: Case) -> None:
    assert by_index()
    call_command("flush", interactive=False, verbosity=0)
    assert by_index() == set()
    anna = U.create_user("anna", email="anna@example.org")
    add_profile(anna, {"max_level": 5})
    assert by_index() == plainly() != set()


@pytest.mark.django_db(transaction=True)
def test_a_migration_leaves_every_trigger_in_place(case: Case) -> None:
    # SQLite rebuilds the table, and refuses to where a trigger of another names it
    assert by_index()
    try:
        call_command("migrate", "notifier", "0005", verbosity=0)
        assert Change._meta.db_table not in connection.introspection.table_names()
    finally:
        call_command("migrate", "notifier", verbosity=0)
    assert triggers.missing_triggers() == []
    field = NotificationProfile._meta.get_field("name")
    longer = CharField(max_length=1 + (field.max_length or 0))
    longer.set_attributes_from_name("name")
    signals.before_migrate(plan=["something"])
    with connection.schema_editor() as editor:
        editor.alter_field(NotificationProfile, field, longer)
    with connection.schema_editor() as editor:
        editor.alter_field(NotificationProfile, longer, field)
    signals.log_changes()
    assert triggers.missing_triggers() == []
    F.update(conditions={"max_level": 1})
    assert by_index() == plainly() == set()


# the triggers


def test_triggers_that_are_missing_are_named_and_made_again(case: Case) -> None:
    assert triggers.missing_triggers() == []
    matcher = Matcher()
    matcher.refresh()
    triggers.drop_triggers()
    F.update(conditions={"max_level": 1})
    assert "notifier_filter" in triggers.missing_triggers()
    triggers.make_triggers()
    assert triggers.missing_triggers() == []
    matcher.refresh()
    assert matcher.match(TO_ALL, NOON) == []


def test_making_triggers_again_changes_nothing(case: Case) -> None:
    before = Change.objects.count()
    triggers.make_triggers()
    assert Change.objects.count() == before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no TRUNCATE")
def test_emptying_a_table_is_seen(case: Case) -> None:
    by_index()
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("TRUNCATE notifier_notificationprofile_filters")
    assert by_index() == plainly() == set()


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite can't turn one off")
def test_a_trigger_that_is_off_is_named(case: Case) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("ALTER TABLE notifier_filter DISABLE TRIGGER notifier_change_update")
    assert triggers.missing_triggers() == ["notifier_filter"]
    triggers.make_triggers()
    assert triggers.missing_triggers() == []
