from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore.cursors import decode_cursor, encode_cursor
from mixstore.errors import ConfigurationError, InvalidCursorError, QueryError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
texts = st.text(max_size=20)


@given(texts, st.lists(json_values, max_size=4).map(tuple), st.none() | st.text(min_size=1))
def test_values_come_back_as_they_went_in(shape, values, secret):
    cursor = encode_cursor(shape, values, secret)
    decoded = decode_cursor(cursor, shape, secret)
    assert decoded == values
    assert [type(value) for value in decoded] == [type(value) for value in values]


@given(texts, st.lists(json_values, max_size=4).map(tuple))
def test_a_cursor_fits_into_a_url_as_it_is(shape, values):
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in encode_cursor(shape, values))


@given(texts, texts, st.none() | st.just("secret"))
def test_a_cursor_of_another_query_is_refused(shape, other, secret):
    cursor = encode_cursor(shape, (1,), secret)
    if shape != other:
        with pytest.raises(InvalidCursorError, match="another query"):
            decode_cursor(cursor, other, secret)


@pytest.mark.parametrize("secret", [None, "secret"])
def test_any_changed_character_is_noticed(secret):
    cursor = encode_cursor("shape", ("ada", 36), secret)
    for position, old in enumerate(cursor):
        for new in "Az9_":
            if new != old:
                with pytest.raises(InvalidCursorError):
                    decode_cursor(cursor[:position] + new + cursor[position + 1 :], "shape", secret)


@pytest.mark.parametrize("secret", [None, "secret"])
def test_any_missing_or_added_end_is_noticed(secret):
    cursor = encode_cursor("shape", ("ada", 36), secret)
    changed = [cursor[:length] for length in range(len(cursor))]
    changed += [cursor + end for end in ("A", "=", "==", "\n", " ", "!")]
    for text in changed:
        with pytest.raises(InvalidCursorError):
            decode_cursor(text, "shape", secret)


@given(st.text())
def test_any_text_that_is_no_cursor_is_refused_by_one_kind_of_error(text):
    with pytest.raises(InvalidCursorError):
        decode_cursor(text, "shape")


@pytest.mark.parametrize("value", [None, 3, b"AQ", ["AQ"]])
def test_what_is_not_text_is_refused(value):
    with pytest.raises(InvalidCursorError, match="a cursor is text, not"):
        decode_cursor(value, "shape")


def test_a_checksummed_cursor_is_refused_once_a_secret_is_set():
    with pytest.raises(InvalidCursorError, match="cursor_secret is set"):
        decode_cursor(encode_cursor("shape", (1,)), "shape", "secret")


def test_a_signed_cursor_is_refused_without_the_secret():
    with pytest.raises(InvalidCursorError):
        decode_cursor(encode_cursor("shape", (1,), "secret"), "shape")


def test_a_cursor_signed_with_another_secret_is_refused():
    with pytest.raises(InvalidCursorError, match="damaged or forged"):
        decode_cursor(encode_cursor("shape", (1,), "mallory"), "shape", "secret")


def test_a_cursor_whose_values_were_replaced_is_refused():
    def raw(cursor: str) -> bytes:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    honest, other = raw(encode_cursor("shape", (1,), "secret")), raw(encode_cursor("shape", (2,), "secret"))
    forged = base64.urlsafe_b64encode(honest[:26] + other[26:]).rstrip(b"=").decode()
    with pytest.raises(InvalidCursorError, match="damaged or forged"):
        decode_cursor(forged, "shape", "secret")


def test_an_empty_secret_is_a_mistake_in_the_configuration():
    with pytest.raises(ConfigurationError, match="cursor_secret is empty"):
        encode_cursor("shape", (1,), "")


def test_a_wrong_cursor_is_a_wrong_query_and_says_what_to_do():
    with pytest.raises(QueryError, match="start again without a cursor"):
        decode_cursor("nonsense", "shape")
