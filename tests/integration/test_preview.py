"""Preview: what would be sent, and nothing is."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from apprise import NotifyType
from django.core.management import CommandError, call_command

import notifier
from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.intake.notifying import notify
from notifier.media.base import NotificationMedium
from notifier.models import Delivery, Event
from notifier.previewing import preview, sample
from servers.inbox import Inbox
from tests.conftest import add_phone
from tests.plugins import Counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.usefixtures("queue")
TEMPLATES = Path(notifier.__file__).parent / "templates" / "notifier"


def run(*arguments: str) -> str:
    """Run the command; return what it printed."""
    out = StringIO()
    call_command("preview", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def norwegian(anna: User) -> User:
    """Anna, as she reads."""
    preferences = anna.notifier_preferences
    preferences.language, preferences.time_zone = "nb", "Europe/Oslo"
    preferences.save()
    return anna


def test_a_preview_is_what_is_sent(norwegian: User, inbox: Inbox) -> None:
    destination = norwegian.destinations.get()
    destination.template = "{description}!"
    destination.save()
    notify("Disk is full", recipients=["anna"])
    event = Event.objects.get()
    found = preview(event, destination)
    assert (found.medium, found.language, found.time_zone) == ("email", "nb", "Europe/Oslo")
    assert found.templates == tuple(
        str(TEMPLATES / "email" / name) for name in ("subject.txt", "body.txt", "body.html")
    )
    assert inbox.messages() == []
    assert not Delivery.objects.exists()

    dispatch()
    deliver("email", worker="me")
    [mail] = inbox.messages()
    assert mail["subject"] == found.parts["subject"] == "[Notifier] Disk is full!"
    for part in ("text", "html"):
        assert mail[part].splitlines() == found.parts[part].splitlines()


@pytest.mark.parametrize("slug", ["email", "sms"])
@pytest.mark.parametrize("event_type", Event.Type.values)
def test_every_medium_shows_every_type_without_a_database(slug: str, event_type: str) -> None:
    found = preview(sample(event_type), slug)
    assert set(found.parts) == ({"subject", "text", "html"} if slug == "email" else {"message"})
    assert all("Link to core-2 is down" in text for text in found.parts.values())


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("text", {"message": "text"}),
        (b'{"a": "\\u00e6"}', {"message": '{\n  "a": "æ"\n}'}),
        ('{"a": 1}', {"message": '{\n  "a": 1\n}'}),
        ("123", {"message": "123"}),
        ({"type": NotifyType.FAILURE}, {"type": "failure"}),
        (b"\xff", {"message": "\ufffd"}),
        (
            {"text": "t", "blocks": [{"b": "æ"}]},
            {"text": "t", "blocks": '[\n  {\n    "b": "æ"\n  }\n]'},
        ),
        (["a", 1], {"message": '[\n  "a",\n  1\n]'}),
    ],
)
def test_a_medium_that_says_nothing_of_previews_has_one(
    message: Any, parts: dict[str, str]
) -> None:
    assert NotificationMedium().preview(message) == parts


def test_the_command_shows_an_event_for_a_destination(norwegian: User) -> None:
    phone = add_phone(norwegian)
    event_id = notify("Disk\x1b[2J is full", level=1)
    printed = run(str(event_id), "--destination", str(phone.pk))
    assert printed == (
        "=== LES by sms, nb, Europe/Oslo\n"
        f"    {TEMPLATES}/sms/body.txt\n"
        "--- message\n"
        "Disk[2J is full [local, nivå 1]\n"
    )
    mail = run(str(event_id), "--medium", "email", "--user", "anna")
    assert "Nivå: 1 (kritisk)" in mail
    assert "Disk\\x1b[2J is full" in mail  # nothing that a terminal would obey
    assert "Level: 1 (critical)" in run(str(event_id), "--medium", "email")


def test_without_an_event_the_command_invents_one_of_each_type(db: None) -> None:
    printed = run("--medium", "sms")
    assert [line[4:7] for line in printed.splitlines() if line.startswith("===")] == list(
        Event.Type.values
    )
    assert run("--medium", "sms", "--type", "END").count("===") == 1
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--medium", "fax"], "--medium: 'fax' is none of email, sms."),
        (["--destination", "0"], "--destination: there is none with the id 0."),
        (["--medium", "sms", "--user", "nobody"], "--user: there is no 'nobody'."),
        (
            ["--destination", "1", "--user", "anna"],
            "--user goes with --medium: a destination has its owner.",
        ),
        (
            ["00000000-0000-0000-0000-000000000000", "--medium", "sms"],
            "There is no event 00000000-0000-0000-0000-000000000000.",
        ),
        (
            ["x", "--medium", "sms"],
            "Error: argument event: 'x' is no event's id; `notifier send` prints one, the admin lists them",
        ),
        (
            ["00000000-0000-0000-0000-000000000000", "--medium", "sms", "--type", "END"],
            "--type is for invented events: leave it out, or leave out the event's id.",
        ),
        ([], "Error: one of the arguments --destination --medium is required"),
    ],
)
def test_the_command_says_what_it_can_not_find(
    anna: User, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert str(refused.value) == sentence


def test_the_command_says_which_template_is_broken(
    db: None, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "notifier" / "sms").mkdir(parents=True)
    (tmp_path / "notifier" / "sms" / "body.txt").write_text("{% nosuch %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    with pytest.raises(CommandError, match=r"^template notifier/sms/body\.txt, line 1: Invalid"):
        run("--medium", "sms")


def test_a_medium_that_renders_as_it_sends_says_so(
    db: None, counting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Counting, "render")
    with pytest.raises(CommandError, match="Counting makes its messages as it sends them"):
        run("--medium", "counting")
