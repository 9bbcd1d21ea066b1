"""Engines that answer in small pages and leave work to the kernel: results stay exact, and pages are refilled."""

from __future__ import annotations

from itertools import product

import pytest

from mixstore import Field, Model, Q, QueryPlan, Rows, ScanWarning
from mixstore.expressions import TRUE, Compare
from mixstore_backends.memory import InMemoryBackend

PAGE = 2


class Paged(InMemoryBackend):
    """Pages of two rows, in any order; of a filter only `shelf = ...` is pushed, the rest is left to the kernel."""

    backend_name = "paged"

    def __init__(self, *, ordered: bool = False) -> None:
        super().__init__()
        self.gives_order = ordered
        self.pages = 0

    def compile_query(self, bound, query):
        wanted = query.where
        pushed = wanted if isinstance(wanted, Compare) and wanted.path == ("shelf",) else None
        everything = query.replace(
            limit=None,
            offset=0,
            order=query.order if self.gives_order else (),
            where=TRUE if pushed is None else pushed,
        )
        ordered = self.gives_order or not query.order
        residual = wanted if pushed is None else None
        plan = PagedPlan("scan", residual=residual, ordered=ordered, sliced=False, scan=True)
        plan.inner = super().compile_query(bound, everything)
        return plan

    def compile_count(self, bound, query):
        return self.compile_query(bound, query)

    def execute(self, plan):
        if not isinstance(plan, PagedPlan):
            return super().execute(plan)
        self.pages += 1
        if plan.rest is None:
            plan.rest = super().execute(plan.inner).rows
        page, rest = plan.rest[:PAGE], plan.rest[PAGE:]
        if not rest:
            return Rows(page)
        more = PagedPlan("scan")
        more.rest = rest
        return Rows(page, more)


class PagedPlan(QueryPlan):
    rest = None
    inner = None


class Book(Model):
    id: int = Field(primary_key=True)
    shelf: str = ""
    stars: int | None = None


@pytest.fixture(params=[False, True], ids=["unordered", "ordered"])
def paged(request, fresh):
    backend = Paged(ordered=request.param)
    fresh.connect_as("default", backend)
    Book.batch_create([{"id": n, "shelf": "ab"[n % 2], "stars": None if n == 7 else n % 4} for n in range(11)])
    return backend


@pytest.fixture
def reference(fresh):
    backend = InMemoryBackend()
    backend.batch_create(Book, [{"id": n, "shelf": "ab"[n % 2], "stars": None if n == 7 else n % 4} for n in range(11)])
    return backend


WHERES = [Q(), Q(shelf="a"), Q(stars__gte=2), Q(shelf="b", stars__gte=1), Q(stars=None), Q(id__gt=99)]
ORDERS = [(), ("id",), ("-id",), ("stars",), ("-stars", "id"), ("shelf", "-stars")]
SLICES = [(None, 0), (3, 0), (1, 0), (0, 0), (3, 2), (None, 3), (100, 0), (2, 100), (4, 4)]


def queries(backend):
    for where, order in product(WHERES, ORDERS):
        query = backend.query(Book)
        query = query.filter(where) if repr(where) != repr(Q()) else query
        yield query.order_by(*order) if order else query


def ids(rows):
    return [row.id for row in rows]


def test_limit_and_offset_are_exact(paged, reference):
    for mine, theirs in zip(queries(paged), queries(reference), strict=True):
        for limit, offset in SLICES:
            got, wanted = ids(mine.limit(limit).offset(offset).all()), ids(theirs.limit(limit).offset(offset).all())
            if mine.query.order:
                assert got == wanted, (mine, limit, offset)
            else:
                assert len(got) == len(wanted)
                assert set(got) <= set(ids(theirs.all()))


def test_counts_are_exact(paged, reference):
    for mine, theirs in zip(queries(paged), queries(reference), strict=True):
        for limit, offset in SLICES:
            assert mine.limit(limit).offset(offset).count() == theirs.limit(limit).offset(offset).count()
            assert mine.limit(limit).offset(offset).exists() == theirs.limit(limit).offset(offset).exists()


def test_first_and_last_are_exact(paged, reference):
    for mine, theirs in zip(queries(paged), queries(reference), strict=True):
        assert mine.first() == theirs.first()
        assert mine.last() == theirs.last()
        assert mine.offset(2).first() == theirs.offset(2).first()
        assert mine.limit(3).last() == theirs.limit(3).last()


def test_cursors_visit_every_row_once(paged, reference):
    for mine, theirs in zip(queries(paged), queries(reference), strict=True):
        for size in (1, 2, 3, 100):
            seen, cursor = [], None
            while True:
                page = mine.limit(size).cursor(cursor).paginate()
                assert len(page) == size or page.cursor is None
                seen += ids(page)
                cursor = page.cursor
                if cursor is None:
                    break
            assert seen == ids(theirs.all() if theirs.query.order else theirs.order_by("id").all())


def test_iteration_visits_every_row_once(paged, reference):
    for mine, theirs in zip(queries(paged), queries(reference), strict=True):
        wanted = theirs if theirs.query.order else theirs.order_by("id")
        assert ids(mine) == ids(wanted.all())
        assert ids(mine.limit(4).offset(1)) == ids(wanted.limit(4).offset(1).all())


def test_writes_by_query_reach_every_row(paged):
    assert Book.where(stars__gte=2).update(shelf="z") == 4
    assert Book.where(shelf="z").count() == 4
    assert Book.where().order_by("-id").limit(3).update(shelf="y") == 3
    assert sorted(ids(Book.where(shelf="y").all())) == [8, 9, 10]
    assert Book.where(stars=None).delete() == 1
    assert Book.where().delete() == 10
    assert Book.count() == 0


def test_select_works_on_pages(paged):
    rows = Book.where(stars__gte=2).order_by("id").limit(2).select("id").all()
    assert rows == [{"id": 2}, {"id": 3}]


def test_no_more_pages_are_asked_for_than_needed(paged):
    paged.pages = 0
    assert len(Book.where(shelf="a").limit(2).all()) == 2
    assert paged.pages == 1
    paged.pages = 0
    assert Book.where(stars__gte=0).exists()
    assert paged.pages == 1
    paged.pages = 0
    assert len(Book.where(stars__gte=0).limit(3).all()) == 3
    assert paged.pages == 2
    paged.pages = 0
    Book.where(id__gt=99).limit(1).all()
    assert paged.pages == 6


def test_an_order_that_the_engine_gives_spares_pages(fresh):
    for ordered, pages in ((True, 1), (False, 6)):
        backend = Paged(ordered=ordered)
        backend.batch_create(Book, [{"id": n} for n in range(11)])
        backend.pages = 0
        assert backend.query(Book).filter(id__gte=0).order_by("id").first().id == 0
        assert backend.pages == pages


def test_a_limit_of_zero_asks_for_nothing(paged):
    paged.pages = 0
    assert (Book.where().limit(0).all(), Book.where().limit(0).count(), Book.where().limit(0).exists()) == (
        [],
        0,
        False,
    )
    assert Book.where().limit(0).first() is None
    assert list(Book.where().limit(0)) == []
    assert Book.where().limit(0).paginate().items == []
    assert paged.pages == 0


def test_an_engine_may_push_a_superset_while_the_exact_form_stays(fresh):
    class Rough(InMemoryBackend):
        """Finds all with at least as many stars, whatever is asked."""

        def compile_query(self, bound, query):
            plan = super().compile_query(
                bound, query.replace(where=Compare(("stars",), "gte", 1), limit=None, offset=0)
            )
            plan.residual = query.where
            plan.sliced = False
            return plan

        compile_count = compile_query

    backend = Rough()
    backend.batch_create(Book, [{"id": n, "stars": n} for n in range(6)])
    query = backend.query(Book).filter(stars__gte=3).order_by("id")
    assert ids(query.all()) == [3, 4, 5]
    assert ids(query.offset(1).limit(1).all()) == [4]
    assert (query.count(), query.limit(2).count()) == (3, 2)


# -- scans


class Cautious(Model):
    class Meta:
        scan = "forbid"

    id: str = Field(primary_key=True)
    name: str = ""
    place: str = Field("", index=True)


def test_a_forbidden_scan_is_an_error_that_says_what_would_help(store):
    for end in ("all", "count", "exists", "first"):
        query = Cautious.where(name="x")
        with pytest.raises(Exception, match=r"Cautious where name = 'x' reads the whole table(?s:.*)index=True"):
            getattr(query if end != "first" else query.order_by("name"), end)()
    assert Cautious.where(place="x").all() == []
    assert Cautious.get("a") is None
    assert Cautious.where(id="a").count() == 0


def test_a_scan_warns_where_the_backend_says_so(fresh):
    class Dear(InMemoryBackend):
        scan_policy = "warn"

    fresh.connect_as("default", Dear())
    with pytest.warns(ScanWarning, match="Book where shelf = 'a' reads the whole table"):
        Book.where(shelf="a").all()


def test_meta_beats_the_scan_policy_of_the_backend(fresh):
    class Dear(InMemoryBackend):
        scan_policy = "forbid"

    class Free(Model):
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        name: str = ""

    fresh.connect_as("default", Dear())
    assert Free.where(name="x").all() == []


def test_explain_neither_reads_nor_warns(fresh):
    class Dear(Paged):
        scan_policy = "forbid"

    backend = Dear()
    fresh.connect_as("default", backend)
    told = Book.where(stars__gte=2).order_by("id").limit(3).explain()
    assert backend.pages == 0
    assert "stars >= 2" in told.residual
    assert any("sorted by mixstore" in note for note in told.notes)
    assert any("after the residual filter" in note for note in told.notes)
