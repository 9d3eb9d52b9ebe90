"""The document of the API: every operation is described, and shows examples that are what they say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from sync_api.app import document

_LONGEST_ID = 40


@cache
def whole() -> dict[str, Any]:
    return document()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in whole()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


each_operation = pytest.mark.parametrize(
    "operation", [pytest.param(operation, id=name) for name, operation in operations()]
)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return dict(whole()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])


def examples_of(media: dict[str, Any]) -> list[Any]:
    """Return the examples of a body or an answer: its own, else those of its schema."""
    for place in (media, resolved(media["schema"])):
        if "example" in place:
            return [place["example"]]
        if place.get("examples"):
            return list(place["examples"])
    return []


def check(media: dict[str, Any]) -> None:
    schema = {**media["schema"], "components": whole()["components"]}
    checker = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    found = examples_of(media)
    assert found
    for example in found:
        checker.validate(example)


@each_operation
def test_it_is_named_and_described(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"].endswith((".", ")."))
    assert operation["operationId"].isidentifier()
    assert len(operation["operationId"]) <= _LONGEST_ID
    assert len(operation["tags"]) == 1
    for parameter in operation.get("parameters", ()):
        assert parameter.get("description"), parameter["name"]


@each_operation
def test_its_body_and_its_answer_have_examples_that_are_valid(operation: dict[str, Any]) -> None:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        check(media)
    (good,) = (answer for status, answer in operation["responses"].items() if status < "300")
    for media in good.get("content", {}).values():
        if resolved(media["schema"]).get("format") != "binary":
            check(media)


@each_operation
def test_each_of_its_errors_is_a_problem_document_with_an_example_of_its_own(
    operation: dict[str, Any],
) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    assert {"401", "403", "429", "500", "503"} <= set(errors)
    for status, answer in errors.items():
        assert answer["description"]
        (media,) = answer["content"].values()
        check(media)
        assert [example["status"] for example in examples_of(media)] == [int(status)]


def test_no_two_operations_have_one_name() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))


def test_examples_are_of_schemas_that_are_there() -> None:
    from sync_api.examples import EXAMPLES

    assert set(EXAMPLES) <= set(whole()["components"]["schemas"])


def test_every_word_that_can_be_chosen_belongs_to_a_named_list() -> None:
    """Generators name a list of words that has no name by the place where they find it."""
    nameless = {
        f"{name}.{field}"
        for name, schema in whole()["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        for choice in (shape, *shape.get("anyOf", ()))
        if "enum" in choice
    }
    assert nameless == set()
