"""The conformance kit: what every medium must do, as tests that a plugin inherits.

In a plugin's `tests/test_conformance.py`, for a medium that sends by `notifier.http`::

    from notifier.testing.http import HTTPMediumConformance

    class TestPager(HTTPMediumConformance):
        medium = PagerNotification

        def settings_at(self, url: str) -> dict[str, Any]:
            return {"url": url}

`notifier.testing.mail` has the same for media that send by `notifier.mail`, `conformance` for any other.
It is no pytest plugin: an entry point would load it into every test run of every project that has
Notifier installed, and all that its tests need hangs on the classes.
"""

import pytest

pytest.register_assert_rewrite(
    "notifier.testing.conformance", "notifier.testing.http", "notifier.testing.mail"
)
