"""Schemathesis over the whole description: whatever is sent, the answer is one that is described.

Deterministic and short; NOTIFIER_API_EXAMPLES=200 asks for more of each operation.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from notifier.api.document import operations_of
from notifier.models import Source, SourceToken
from tests.api.conftest import token_of
from tests.api.test_document import DOCUMENT
from tests.api.things import OPERATORS_OWN, SOURCES_OWN, THINGS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EXAMPLES = int(os.environ.get("NOTIFIER_API_EXAMPLES", "10"))
RULES_BEYOND_THE_SCHEMA = [409, 412, 422, 428]
"""A name that is taken, a version, a time zone that is none, …: what no JSON Schema can say."""

SETTINGS = settings(
    deadline=None,
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


CONFIG = {
    "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES},
    "checks": {
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", 401, 403, 404, 429, *RULES_BEYOND_THE_SCHEMA]
        },
        "negative_data_rejection": {
            "expected-statuses": [400, 401, 403, 404, 405, *RULES_BEYOND_THE_SCHEMA, 413, 415, 429]
        },
        "missing_required_header": {"expected-statuses": [400, 401, 422, 428]},
    },
}

# a copy: it writes the links that it infers into what it is given
schema = schemathesis.openapi.from_dict(
    copy.deepcopy(DOCUMENT), config=schemathesis.Config.from_dict(CONFIG)
)
schema.app = get_wsgi_application()


@pytest.fixture(autouse=True)
def _one_transaction(db: None) -> Iterator[None]:
    """Keep the connection between requests, as Django's own test client does."""
    signals = (request_started, request_finished)
    for each in signals:
        each.disconnect(close_old_connections)
    yield
    for each in signals:
        each.connect(close_old_connections)


@schema.auth(refresh_interval=None)
class Tokens:
    """The token that each operation wants: Anna's, the shop's, or an operator's."""

    persons = sources = operators = ""

    def get(self, case: Any, _context: object) -> str:
        """Return it."""
        operation = case.operation.definition.raw["operationId"]
        if operation in SOURCES_OWN:
            return Tokens.sources
        return Tokens.operators if operation in OPERATORS_OWN else Tokens.persons

    def set(self, case: Any, token: str, _context: object) -> None:
        """Send it along."""
        case.headers["Authorization"] = f"Bearer {token}"


@pytest.fixture(autouse=True)
def _tokens(anna: User, source: Source, admin_user: User) -> None:
    Tokens.persons, Tokens.sources = token_of(anna), SourceToken.issue(source)
    Tokens.operators = token_of(admin_user)


@pytest.fixture
def things(anna: User) -> dict[str, Any]:
    """One of everything, by the parameters of paths."""
    return {name: make(anna) for name, make in THINGS.items()}


@schema.parametrize()
@SETTINGS
def test_each_answer_is_one_that_is_described(case: Any, things: dict[str, Any]) -> None:
    if case.meta.generation.mode.is_positive and crc32(repr(case.path_parameters).encode()) % 4:
        # nothing that is made up leads to something that no operation makes
        case.path_parameters.update({name: things[name] for name in case.path_parameters})
    with transaction.atomic():
        case.call_and_validate()
        transaction.set_rollback(True)


def test_what_was_made_is_used_and_deleted() -> None:
    succeeded: set[str] = set()

    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.start = transaction.savepoint()

        def teardown(self) -> None:
            transaction.savepoint_rollback(self.start)

        def after_call(self, response: Any, case: Any) -> None:
            if response.status_code < 300:
                succeeded.add(case.operation.definition.raw["operationId"])

    run_state_machine_as_test(
        Machine, settings=settings(SETTINGS, max_examples=3 * EXAMPLES, stateful_step_count=10)
    )
    linked = {
        name
        for _, _, operation in operations_of(DOCUMENT)
        for name in operation["responses"].get("201", {}).get("links", ())
    }
    assert succeeded & linked, "nothing that was made was used"


def test_every_operation_that_makes_something_leads_to_others() -> None:
    for path, methods in DOCUMENT["paths"].items():
        made = methods.get("post", {}).get("responses", {}).get("201")
        if made and any(other.startswith(f"{path}/{{") for other in DOCUMENT["paths"]):
            assert made["links"]
