"""The running system, as in the acceptance tests."""

from tests.acceptance.conftest import database_url, people, stack, token

__all__ = ["database_url", "people", "stack", "token"]
