"""Random rows, filters, orders and changes over few values, so that rows meet and filters hit."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mixstore.testing.source import Filter
from mixstore.testing.subject import PATHS, Subject

LOOKUPS = (
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "between", "isnull", "contains", "icontains", "startswith",
    "istartswith", "endswith", "iendswith", "regex", "size",
)  # fmt: skip
TEXTUAL = {"contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex"}
SEARCHES = ("", "a", "A", "b a", "strasse", "straße", "%", "a_b", "zz")
Values = st.SearchStrategy[dict[str, Any]]


def keys(subject: Subject) -> Values:
    """A primary key."""
    return st.fixed_dictionaries({name: st.sampled_from(one.values) for name, one in subject.key.items()})


def changes(subject: Subject, arguments: bool = True, most: int = 4) -> Values:
    """New values for a few fields, and some of the arguments that mixins bring."""
    options = {name: one.values for name, one in subject.columns.items()}
    for one in subject.brings if arguments else ():
        options.update(one.arguments)
    return st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(options[name]) for name in names})
    )


def rows(subject: Subject, arguments: bool = True) -> Values:
    """A key and some values."""
    return st.builds(lambda key, values: {**key, **values}, keys(subject), changes(subject, arguments))


def _operand(subject: Subject, field: str, lookup: str) -> st.SearchStrategy[Any]:
    column = subject.fields.get(field)
    one = st.sampled_from(column.values if column is not None else [None, "a", "b", "", 0, 1, True])
    match lookup:
        case "in" | "not_in":
            return st.lists(one, max_size=3)
        case "between":
            return st.tuples(one, one)
        case "isnull":
            return st.booleans()
        case "size":
            return st.integers(-1, 3)
        case _ if lookup in TEXTUAL and field != "free":
            return st.sampled_from(["", "a", "A", "%", "_", "SS", "ß", ".", "^a", "red", "\0"])
    return one


def _leaf(subject: Subject, field: str, lookup: str) -> st.SearchStrategy[Filter]:
    return _operand(subject, field, lookup).map(lambda value: Filter("is", (f"{field}__{lookup}", value)))


def filters(subject: Subject) -> st.SearchStrategy[Filter]:
    """A tree of conditions; some make no sense for their field, which every backend refuses alike."""
    names = [*subject.fields, *(path for path in PATHS if path.partition("__")[0] in subject.fields)]
    leaf = st.tuples(st.sampled_from(names), st.sampled_from(LOOKUPS)).flatmap(lambda pair: _leaf(subject, *pair))
    return st.recursive(
        st.one_of(leaf, leaf, leaf, st.sampled_from([Filter("all"), Filter("none")])),
        lambda inner: st.one_of(
            st.builds(lambda how, a, b: Filter(how, (a, b)), st.sampled_from(["and", "or"]), inner, inner),
            st.builds(lambda a: Filter("not", (a,)), inner),
        ),
        max_leaves=5,
    )


def orders(subject: Subject, least: int = 0) -> st.SearchStrategy[list[str]]:
    """Up to two columns."""
    loose = {"tags", "free", "home"}
    names = [name for name in subject.fields if name not in loose]
    column = st.builds(lambda sign, name: sign + name, st.sampled_from(["", "-"]), st.sampled_from(names))
    return st.lists(column, min_size=least, max_size=2)
