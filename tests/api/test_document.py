"""The description at /api/v1/openapi.json: whole, valid, and good enough to generate a client from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from notifier.api.document import operations_of
from notifier.api.operations import Operations
from notifier.api.v1 import api

DOCUMENT: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/")))
OPERATIONS = list(operations_of(DOCUMENT))
EACH = pytest.mark.parametrize(
    ("path", "method", "operation"),
    OPERATIONS,
    ids=[each["operationId"] for _, _, each in OPERATIONS],
)


def test_it_is_served_and_is_valid(client: Client) -> None:
    served = client.get("/api/v1/openapi.json").json()
    assert served == DOCUMENT
    assert served["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(served).iter_errors()) == []


def test_each_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


@EACH
def test_an_operation_says_what_it_does(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].strip()
    assert len(operation["summary"]) < 80
    assert operation["description"].strip()
    assert operation["tags"]


@EACH
def test_the_body_and_each_answer_have_examples_that_fit(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for each in [*bodies, *operation["responses"].values()]:
        content = each.get("content", {})
        examples = [
            (media["schema"], example)
            for media in content.values()
            for example in [
                *(named["value"] for named in media.get("examples", {}).values()),
                *([media["example"]] if "example" in media else []),
            ]
        ]
        assert bool(examples) is bool(content), each
        for schema, example in examples:
            validator = Draft202012Validator({**DOCUMENT, **schema})
            assert list(map(str, validator.iter_errors(example))) == []


@EACH
def test_an_operation_names_what_can_go_wrong(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    answers = {int(status): answer for status, answer in operation["responses"].items()}
    assert answers.keys() >= expected_problems(path, operation)
    for status in answers.keys() - range(400):
        [(content_type, media)] = answers[status]["content"].items()
        assert content_type == "application/problem+json"
        assert media["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}
    for status in answers.keys() & {429, 503}:
        assert "Retry-After" in answers[status]["headers"]


def expected_problems(path: str, operation: dict[str, Any]) -> set[int]:
    """Return what follows from the rest of an operation's description."""
    security = operation.get("security", [])
    if {"ApiTokenAuth": []} not in security:  # a source's, or a handshake
        body = "requestBody" in operation
        return ({401, 503} if security or body else {400}) | ({422} if body else set())
    expected = {401, 403, 422, 429, 503} | ({404} if "{" in path else set())
    if "requestBody" in operation:
        expected |= {409, 413, 415}
    if any(each["name"] == "If-Match" for each in operation["parameters"]):
        expected |= {412, 428}
    return expected


class Bare(BaseModel):
    """Has no example."""


def get_bare(request: object) -> Bare:
    """Show it."""
    return Bare()


@EACH
def test_each_parameter_is_described_or_is_in_the_path(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    for each in operation.get("parameters", ()):
        assert each["in"] == "path" or each["description"]


def test_an_operation_without_an_example_can_not_be_declared() -> None:
    with pytest.raises(TypeError, match="Bare needs an EXAMPLE"):
        Operations("tests").get("/bare", summary="Show it", returns=Bare)(get_bare)


def test_a_client_is_generated_without_a_warning(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    config = tmp_path / "config.yml"
    config.write_text("post_hooks: []\n", encoding="utf-8")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", document, "--config", config, "--output-path", tmp_path / "client"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert "warning" not in said.lower()
    generated = {path.stem for path in (tmp_path / "client").rglob("api/*/*.py")}
    assert {operation["operationId"] for _, _, operation in OPERATIONS} <= generated
