"""What stands before nobody: a backlog, a limit, a paused medium."""

from __future__ import annotations

from notifier.delivering import gating
from notifier.models import Delivery
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.ledger import Entry
from tests.acceptance.stack import eventually
from tests.conftest import add_phone, add_profile

RATE, BURST = 25, 5
BACKLOG = 3000


def most_in(window_s: float, entries: list[Entry]) -> int:
    """Return the largest number of mails in any window of that length."""
    return max(
        sum(1 for other in entries[index:] if other.at < entry.at + window_s)
        for index, entry in enumerate(entries)
    )


def test_four_workers_never_exceed_a_rate_and_use_it_up(case: FaultCase) -> None:
    case.stack.env["NOTIFIER_RATE_LIMITS"] = f"email={RATE}/s burst {BURST}"
    case.start()
    for name in ("media2", "media3", "media4"):
        case.stack.worker(name, "media.email")
    case.stack.setup()
    case.post(40, case.add_people(5))
    case.ends()

    entries = case.ledger.entries()
    for window_s in (0.5, 1.0, 3.0):
        # a mail needs a moment from its turn to the ledger, not always the same
        assert most_in(window_s, entries) <= RATE * window_s + BURST + 2
    took_s = entries[-1].at - entries[0].at
    assert (len(entries) - BURST) / took_s >= 0.95 * RATE
    assert not Delivery.objects.exclude(attempts=1).exists()


def test_a_users_backlog_stands_before_nobody_and_critical_ones_before_all(
    case: FaultCase,
) -> None:
    greedy, patient = case.add_people(2)
    case.post(BACKLOG, [greedy])
    case.start()
    case.wait_for_mails(50)
    case.post(1, [patient])
    case.post(1, [greedy], level=1)
    overtaking = {f"event {BACKLOG + number}" for number in (1, 2)}
    wanted = {pair for pair in case.expected if pair[0] in overtaking}
    eventually(lambda: not wanted & case.missing(), "the two that overtake", 60)
    assert Delivery.objects.filter(state="pending").count() > BACKLOG / 2
    gating.pause("email")  # the rest need not be waited for
    Delivery.objects.filter(state="pending").delete()


def test_a_paused_medium_holds_back_itself_alone_and_loses_nothing(case: FaultCase) -> None:
    case.start()
    case.stack.worker("sms", "media.sms")
    case.stack.setup()
    [anna] = case.add_people(1)
    add_profile(anna, {"max_level": 5}, add_phone(anna))
    gating.pause("email")
    case.post(20, [anna])

    eventually(lambda: case.ledger.count() == 20, "every SMS", 20)
    assert Delivery.objects.filter(medium="email", state="pending", attempts=0).count() == 20
    gating.resume("email")
    eventually(lambda: case.ledger.count() == 40, "every mail", 20)
