"""Pages that almost are JSON: one odd value becomes text, and nothing else changes."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_clients.bodies import json_as
from network_clients.outcomes import Answer
from network_clients.taming import DEEPEST, tame

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(["NaN", '"', "\\", "[", "}"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


@given(value=values)
def test_what_is_json_stays_byte_for_byte(value: object) -> None:
    body = json.dumps(value).encode()
    assert tame(body) == body


@given(value=st.lists(st.one_of(values, st.sampled_from([float("nan"), float("inf"), float("-inf")]))))
def test_numbers_that_json_does_not_have_become_text(value: list[object]) -> None:
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    expected = [words[str(item)] if isinstance(item, float) else item for item in value]
    assert json.loads(tame(json.dumps(value).encode())) == expected


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 50_000])
@pytest.mark.parametrize("pair", [b"[]", b'{"a":}'], ids=["lists", "objects"])
def test_what_is_nested_too_deep_becomes_text_and_its_neighbours_stay(depth: int, pair: bytes) -> None:
    opening, closing = pair[:-1], pair[-1:]
    inner = opening * depth + b"1" + closing * depth
    body = b'[{"id":1},{"id":2,"x":' + inner + b'},{"id":3}]'
    rows = json_as(list[msgspec.Raw])(Answer(200, {}, body))
    assert [msgspec.json.decode(row)["id"] for row in rows] == [1, 2, 3]
    levels = len(tame(body).split(b'"x":')[1].split(b'"')[0]) if pair == b"[]" else None
    assert levels is None or levels <= DEEPEST


@pytest.mark.parametrize("body", [b"", b"[1, 2", b'{"a": "', b"<html>NaN</html>", b"]]]]", b'{"a": nan}'])
def test_what_is_broken_stays_broken(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        json_as(object)(Answer(200, {}, body))
