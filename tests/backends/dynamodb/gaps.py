"""The cases of the conformance kit that are beyond what DynamoDB can hold, each with its reason."""

from __future__ import annotations

from mixstore.testing.gaps import BY_CHANCE

NUMBERS = "the engine's limit: a number has 38 digits, and lies between 1e-130 and 1e126"
SOME_NUMBERS = f"{NUMBERS}, {BY_CHANCE}"
AN_INT = (
    "the engine's limit: a number does not say whether it was a float, so 1.0 in an Any comes back as 1, " + BY_CHANCE
)
MOTO = "the engine's limit: moto answers a map with an empty key as no map; tests/engines has these cases, " + BY_CHANCE
COME_BACK = "test_values_of_every_type_come_back_the_same"
FOUND = "test_a_filter_finds_the_rows_that_hold_a_value"

OF_FLOATS = (
    "dict_by_uuid", "dict_of_models", "list_of_models", "model", "model_of_everything", "optional_model", "wide_union",
)  # fmt: skip

EMPTY = "the engine's limit: an empty text can't be a key, so such a row is in no index"
ONE_KEY = "never, because rows of one table share its keys: a template has to name what it is of"

GAPS = {
    "test_using_an_index_asks_for_the_rows_in_it_and_no_other_query_does": EMPTY,
    "test_what_an_index_does_not_hold_is_read_all_the_same": EMPTY,
    "test_no_write_leaves_an_index_behind": EMPTY,
    "test_threads_that_move_a_row_leave_it_in_one_place": EMPTY,
    "test_an_index_is_awaited_like_others": EMPTY,
    "test_models_of_one_rendered_key_are_apart": ONE_KEY,
    "test_every_plain_kind_orders_by_its_meaning[real-values2]": NUMBERS,
    "test_every_lookup_answers_as_the_reference_does[real]": NUMBERS,
    "test_every_lookup_on_an_indexed_field_answers_as_the_reference_does[real]": NUMBERS,
    "test_numbers_in_free_values_compare_exactly": SOME_NUMBERS,
    f"{COME_BACK}[float]": SOME_NUMBERS,
    f"{COME_BACK}[decimal]": SOME_NUMBERS,
    f"{COME_BACK}[variadic_tuple]": SOME_NUMBERS,
    f"{COME_BACK}[bare_list]": AN_INT,
    f"{COME_BACK}[bare_dict]": AN_INT,
    f"{COME_BACK}[any]": AN_INT,
    f"{COME_BACK}[json]": AN_INT,
    **{f"{COME_BACK}[{kind}]": SOME_NUMBERS for kind in OF_FLOATS},
    **{f"{FOUND}[{kind}]": SOME_NUMBERS for kind in ("float", "decimal", "model", "any")},
    "test_values_of_every_plain_type_are_keys[decimal]": NUMBERS,
    "test_values_of_every_plain_type_are_keys[float]": NUMBERS,
    "test_deeply_nested_values_are_held_or_refused_by_name[50]": "the engine's limit: it nests 32 levels deep",
    "test_large_values_are_held": "the engine's limit: an item takes 400 KB",
    "test_a_transaction_of_many_writes_is_stored_whole": "the engine's limit: a transaction takes 100 items",
}
