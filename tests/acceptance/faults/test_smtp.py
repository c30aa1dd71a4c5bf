"""Mail servers that refuse, hang, drip, break off and stay away: nothing is lost by it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import trustme
from django.db.models.functions import Now

from notifier.models import Attempt, Delivery, Gate
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.ledger import Ledger
from tests.acceptance.faults.rules import DRIP, HANG, RESET, Rule
from tests.acceptance.faults.shifting import let_pass
from tests.acceptance.stack import eventually

SERVER = {
    "refuses connections": [],
    "accepts and hangs": [Rule("connect", HANG)],
    "drips a byte a second": [Rule("connect", DRIP)],
    "says 421 as it is connected to": [Rule("connect", "421 4.3.2 closing")],
    "says 421 to EHLO": [Rule("ehlo", "421 4.3.2 closing")],
    "says 421 to MAIL": [Rule("mail", "421 4.3.2 closing")],
    "says 451 to MAIL": [Rule("mail", "451 4.3.0 later")],
    "says 452 to DATA": [Rule("data", "452 4.3.1 no room")],
    "breaks off before the dot": [Rule("data", RESET)],
}
"""What a server does to everybody, for a while."""

RECIPIENTS = {
    "421-to-rcpt": Rule("rcpt", "421 4.3.2 closing", times=2),
    "421-to-data": Rule("data", "421 4.3.2 closing", times=2),
    "421-to-dot": Rule("end", "421 4.3.2 closing", times=2),
    "450-greylisting": Rule("rcpt", "450 4.2.0 greylisted", for_s=2),
    "451-to-rcpt": Rule("rcpt", "451 4.7.1 later", times=2),
    "452-to-rcpt": Rule("rcpt", "452 4.2.2 mailbox full", times=2),
    "451-to-dot": Rule("end", "451 4.3.0 later", times=2),
    "hangs-at-rcpt": Rule("rcpt", HANG, times=1),
    "drips-at-rcpt": Rule("rcpt", DRIP, times=1),
    "reset-not-taken": Rule("end", RESET, times=1),
}
"""What a server does for a while to some, each by its local part; then the mail is taken."""

UNCLEAR = {
    "reset-though-taken": Rule("end", RESET, times=1, taken=True),
    "hangs-though-taken": Rule("end", HANG, times=1, taken=True),
    "drips-though-taken": Rule("end", DRIP, times=1, taken=True),
}
"""The mail is taken, but no answer comes: it is sent again, with the same Message-ID."""

FINAL = {
    "550-to-rcpt": (Rule("rcpt", "550 5.1.1 no such mailbox"), "gone"),
    "552-to-dot": (Rule("end", "552 5.3.4 too large"), "too_large"),
    "554-to-dot": (Rule("end", "554 5.7.1 refused"), "rejected"),
}
"""What no other try can change, and the reason that the row ends with."""


@pytest.fixture
def mail(case: FaultCase) -> FaultCase:
    """Workers whose mail is tried again soon."""
    case.stack.env["MEDIA_PLUGINS"] = "tests.acceptance.faults.media.HastyEmail"
    return case


def failed_tries() -> int:
    """Return how many tries ended in a temporary failure."""
    return Attempt.objects.filter(outcome="temporary").count()


def wait_for_tries(count: int) -> None:
    """Wait until so many tries have failed."""
    eventually(lambda: failed_tries() >= count, f"failed try {count}")


def test_what_a_mail_server_does_to_some_recipients_touches_no_other(mail: FaultCase) -> None:
    mail.start()
    healthy = mail.add_people(10)
    rules = {**RECIPIENTS, **UNCLEAR, **{name: rule for name, (rule, _) in FINAL.items()}}
    broken = {name: mail.add_person(name) for name in rules}
    for name, rule in rules.items():
        rule.to = name
    mail.ledger.script(*rules.values())

    with mail.fault(f"a mail server errs in {len(rules)} ways at single recipients"):
        mail.post(1, [*healthy, *broken.values()])
    verdict = mail.ends(doubled=len(UNCLEAR), untold=[broken[name].email for name in FINAL])

    assert verdict.doubled == len(UNCLEAR)
    by_user = {row.user.username: row for row in Delivery.objects.select_related("user")}
    for name, (_, reason) in FINAL.items():
        assert (by_user[name].state, by_user[name].reason) == ("failed", reason)
        assert by_user[name].tries.count() == 1
    for user in healthy:
        assert by_user[user.username].tries.count() == 1
    for name in RECIPIENTS:
        assert {each.outcome for each in by_user[name].tries.all()} == {"temporary", "sent"}
    for name in UNCLEAR:
        assert [each.reason for each in by_user[name].tries.all()] == ["unclear", ""]


def test_a_mail_server_that_fails_altogether_costs_time_and_nothing_else(mail: FaultCase) -> None:
    mail.start()
    people = mail.add_people(5)
    mail.post(1, people)
    mail.ends()
    for fault, rules in SERVER.items():
        tries = failed_tries()
        with mail.fault(f"a mail server {fault}"):
            mail.ledger.script(*rules)
            if not rules:
                mail.ledger.refuse()
            mail.post_incidents(1, people)
            wait_for_tries(tries + 2)
            eventually(lambda: Gate.objects.filter(trips__gt=0).exists(), "the breaker's opening")
            mail.ledger.script()
            mail.ledger.listen()
        mail.ends(said=r"email: the breaker opened \((connection|timeout|server_error|unclear)\)")


def test_without_trust_no_mail_is_sent_and_afterwards_each_is(
    mail: FaultCase, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    stranger_ca = trustme.CA()
    stranger_ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    people = mail.add_people(5)
    mail.stack.worker("events", "events", "maintenance")
    mail.stack.beat()
    with (
        Ledger(tmp_path, certificate=certificate) as stranger,
        mail.fault("a mail server offers no TLS, another is certified by nobody we trust"),
    ):
        for server, reason in ((mail.ledger, "misconfigured"), (stranger, "tls")):
            url = f"smtp+tls://127.0.0.1:{server.smtp_port}"
            media = mail.stack.worker("media", "media.email", env={"EMAIL_URL": url})
            mail.stack.setup()
            mail.post(1, people)
            tries = Attempt.objects.filter(reason=reason)
            eventually(tries.exists, f"a failure: {reason}")
            mail.stack.retire(media)
            assert not server.seen()["mail"]
            let_pass(dt.timedelta(hours=6))
    mail.stack.worker("media", "media.email")
    mail.ends(said=r"email: the breaker opened \((misconfigured|tls)\)")


def wait_for_rest(tries: int) -> None:
    """Wait until there was a try since, or there is nothing to try; and none is going on."""

    def rests() -> bool:
        if Delivery.objects.filter(state="sending").exists():
            return False
        due = Delivery.objects.filter(state="pending", due_at__lte=Now())
        return failed_tries() > tries or not due.exists()

    eventually(rests, "another try")


def test_a_mail_server_may_be_away_for_two_days(case: FaultCase) -> None:
    case.start()
    people = case.add_people(10)
    with case.fault("a mail server is away for two days"):
        case.ledger.refuse()
        case.post_incidents(2, people)
        case.post(3, people)
        eventually(failed_tries, "the first failure")
        for _ in range(16):
            tries = failed_tries()
            let_pass(dt.timedelta(hours=3))
            wait_for_rest(tries)
        case.ledger.listen()
        let_pass(dt.timedelta(hours=4))
    case.ends(said=r"email: the breaker opened \(connection\)")
    assert failed_tries() < Delivery.objects.count() * 2
