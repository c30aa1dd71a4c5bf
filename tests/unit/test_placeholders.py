"""Texts that users write: repeated, never run."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from notifier.models import DestinationConfig
from notifier.placeholders import MAX_FILLED, PLACEHOLDERS, fill, validate_template
from notifier.previewing import sample

EVENT = sample("STA")
KNOWN = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def test_placeholders_say_what_the_event_says() -> None:
    template = (
        "{source} ({source_type}), {type} {level} {level_name}: {description} {tags} {incident}"
    )
    validate_template(template)
    assert fill(template, EVENT) == (
        "sample (app), start 2 high: Link to core-2 is down host=core-1, site=oslo core-1:ge-0/0/1"
    )


def test_a_stateless_event_leaves_what_it_lacks_empty() -> None:
    assert fill("[{incident}{start_time}{end_time}]", sample()) == "[]"


def test_times_and_names_are_in_the_language_and_the_time_zone_that_are_active() -> None:
    event = sample("END")
    event.timestamp = dt.datetime.fromisoformat("2026-07-01T22:30:00Z")
    with translation.override("nb"), timezone.override("Europe/Oslo"):
        assert (
            fill("{type}, {level_name}, {time}", event) == "slutt, høy, 2. juli 2026 00:30:00 CEST"
        )


@pytest.mark.parametrize(
    "template",
    [
        "{0.__class__}",
        "{x.password}",
        "{description.__class__.__mro__}",
        "{source[0]}",
        "{description!r}",
        "{description:>100000000}",
        "{ description }",
        "{Description}",
        "{}",
        "{settings}",
    ],
)
def test_anything_but_a_known_name_is_refused_and_stays_as_it_stands(
    template: str,
) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_template(template)
    assert refused.value.messages == [f"{template} is no placeholder; there are {KNOWN}."]
    assert fill(f"{template} 100 %", EVENT) == f"{template} 100 %"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ ''.__class__ }}", "{ ''.__class__ }"),
        ("{{description}}", "{description}"),
        ("{{{level}}}", "{2}"),
        ("%(x)s %s %d", "%(x)s %s %d"),
        ("{% load x %}".replace("{", "{{").replace("}", "}}"), "{% load x %}"),
        ("$level ${level}".replace("{", "{{").replace("}", "}}"), "$level ${level}"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_other_languages_of_templates_are_plain_text(template: str, text: str) -> None:
    validate_template(template)
    assert fill(template, EVENT) == text


@pytest.mark.parametrize("template", ["{", "}", "a { b", "{{}", "{a{b}c}", "{description:{level}}"])
def test_a_single_brace_is_refused(template: str) -> None:
    with pytest.raises(ValidationError):
        validate_template(template)


@pytest.mark.parametrize(
    "template", ["bell\x07", "\x1b[31m", "NUL\x00", "\x9b2J", "a\r\n", "\u202eb"]
)
def test_a_control_character_is_refused(template: str) -> None:
    with pytest.raises(ValidationError, match="control character"):
        validate_template(template)


def test_what_an_event_says_is_not_filled_again() -> None:
    event = sample()
    event.description = "{level} {source.name}"
    assert fill("{description}", event) == "{level} {source.name}"


def test_a_filled_text_has_an_end_and_is_quick() -> None:
    event = sample()
    event.description = "x" * MAX_FILLED
    start = time.perf_counter()
    assert len(fill("{description}" * 38, event)) == MAX_FILLED
    assert time.perf_counter() - start < 0.05


pieces = st.sampled_from(["{", "}", "{{", "}}", ".", "!r", ":>9", "[0]", "%s", *PLACEHOLDERS])


@given(st.lists(pieces | st.text(max_size=5), max_size=40).map("".join))
def test_whatever_is_written_is_filled_without_failing_and_what_is_taken_is_filled_whole(
    template: str,
) -> None:
    filled = fill(template, EVENT)
    assert len(filled) <= MAX_FILLED
    try:
        validate_template(template)
    except ValidationError:
        return
    values = {name: placeholder(EVENT) for name, placeholder in PLACEHOLDERS.items()}
    assert filled == template.format_map(values).strip()


def test_a_destination_names_what_is_no_placeholder() -> None:
    with pytest.raises(ValidationError) as refused:
        DestinationConfig(media_id="email", template="{password}").clean_fields(exclude=["user"])
    assert refused.value.message_dict["template"] == [
        f"{{password}} is no placeholder; there are {KNOWN}."
    ]
