"""Versions of what two people may edit at once: ETag and If-Match."""

from __future__ import annotations

from typing import Self

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.http import parse_etags
from pydantic import BaseModel, PrivateAttr

from notifier.api.problems import Refused


class PartlyShown(BaseModel):
    """What is another version by more than what is shown, such as by its secrets."""

    _versioned_by: str = PrivateAttr("")

    @property
    def versioned_by(self) -> str:
        """All of it as a text; empty: what is shown is all."""
        return self._versioned_by

    def beside(self, unseen: str) -> Self:
        """Let its version follow something unseen too; what is shown from now on doesn't count."""
        self._versioned_by = self.model_dump_json() + unseen
        return self


def version_of(shown: BaseModel) -> str:
    """Return the ETag of something as it is shown."""
    whole = shown.versioned_by if isinstance(shown, PartlyShown) else ""
    # keyed: nobody learns an unseen part by trying
    digest = salted_hmac(
        "notifier.api.version", whole or shown.model_dump_json(), algorithm="sha256"
    )
    return f'"{digest.hexdigest()[:32]}"'


def require_version(request: HttpRequest, shown: BaseModel) -> None:
    """Raise `Refused` unless the request names the version that something, locked, has now."""
    named = request.headers.get("If-Match")
    if named is None:
        raise Refused(
            428,
            "Version missing",
            "Send the ETag that came with it as `If-Match`, so that nobody's change is lost.",
        )
    if not {"*", version_of(shown)}.intersection(parse_etags(named)):
        raise Refused(
            412,
            "Changed meanwhile",
            "It is not as it was in the version that `If-Match` names. Get it again, and then change it.",
        )
