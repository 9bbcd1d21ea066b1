"""`ExtensionConformance`: what every extension keeps true, whatever it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

import mixstore
from mixstore import (
    Backend,
    BackendExtension,
    BatchError,
    Capability,
    ConfigurationError,
    CorruptRecordError,
    DuplicateKeyError,
    MixstoreError,
    Model,
    NotFoundError,
    UnsupportedOperationError,
    schema_of,
)
from mixstore.extension import ANY_BACKEND
from mixstore.registry import current
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Call, Use, awaited, paged_rows, refusal
from mixstore.testing.tags import MISSING, atomic, missing
from mixstore.testing.witness import CALLS, Witnessed

URLS = ("memory://", "sqlite://")


class ExtensionConformance(Conformance):
    """Subclass it with the `mixin` and a `model` that uses it, in a class whose name begins with `Test`.

    It runs on memory and SQLite; a fixture `backend` runs it elsewhere. Whatever a write needs around it (a tenant)
    is an autouse fixture of the subclass.
    """

    mixin: ClassVar[type]
    model: ClassVar[type[Model]]
    changes: ClassVar[Mapping[str, Any]] = {}
    """An update that changes a row: fields that no extension sets by itself."""

    def row(self, number: int) -> dict[str, Any]:
        """The values of a row; of another one for each number from 0 on. By default, an `id` of the field's type."""
        return {"id": schema_of(self.model).fields["id"].coerce(str(number))}

    @pytest.fixture(params=URLS)
    def backend(self, request: pytest.FixtureRequest) -> Iterator[Backend]:
        """An empty backend of each kind that comes with mixstore."""
        with mixstore.connect(request.param) as backend:
            yield backend

    @pytest.fixture(autouse=True)
    def _ready(self, request: pytest.FixtureRequest, backend: Backend, _able: None) -> None:
        """Skip all but the refusal where the mixin can't be used."""
        if getattr(type(self), "mixin", None) is None or getattr(type(self), "model", None) is None:
            pytest.fail(f"{type(self).__name__} needs a `mixin` and a `model` that uses it", pytrace=False)
        lacking = self._lacking(backend)
        refusing = request.node.get_closest_marker(MISSING) is not None
        if lacking and not refusing:
            pytest.skip(f"the backend lacks {', '.join(lacking)}")
        if refusing and not lacking:
            pytest.skip("the backend has all that it needs")

    @pytest.fixture
    def ready(self, use: Use) -> Any:
        """The model, bound."""
        return use(self.model)

    def _declared(self) -> list[type[BackendExtension]]:
        found = [value for base in self.mixin.__mro__ for value in vars(base).values() if isinstance(value, type)]
        return [one for one in found if issubclass(one, BackendExtension)]

    def _lacking(self, backend: Backend) -> list[str]:
        if not backend.runs_extensions:
            return ["extensions"]
        exact = {one.name for one in self._declared() if one.backend_name == backend.backend_name}
        meant = [
            one
            for one in self._declared()
            if one.backend_name == (backend.backend_name if one.name in exact else ANY_BACKEND)
        ]
        needs = [need for one in meant for need in one.requires if isinstance(need, Capability)]
        return [str(need.name) for need in needs if need not in backend.capabilities]

    def _own(self, backend: Backend, model: Any) -> list[BackendExtension]:
        """What the mixin has in the model's chain."""
        chain = backend.bound(model).chain
        return [one for one in chain.extensions if issubclass(self.mixin, one.mixin_class)]

    def _key(self, number: int) -> dict[str, Any]:
        schema, row = schema_of(self.model), self.row(number)
        return {name: row[name] for name in schema.key_fields}

    def _changed(self, row: Any) -> bool:
        """Whether a row shows the changes."""
        return all(getattr(row, name) == value for name, value in self.changes.items())

    # -- binding ------------------------------------------------------------------------------------------------------

    def test_it_is_listed_as_active_with_its_fidelity(self, ready: Any, backend: Backend) -> None:
        own = self._own(backend, ready)
        assert own, f"{self.mixin.__name__} has no active extension on {backend.backend_name}"
        active = [entry for entry in ready.extensions() if entry.state == "active"]
        names = {entry.name: entry.fidelity for entry in active}
        assert len(active) >= len(own)
        assert set(names.values()) <= {"native", "emulated"}

    @missing("extensions")
    def test_a_backend_that_lacks_what_it_needs_refuses_the_model_or_lists_it_as_inactive(
        self, backend: Backend
    ) -> None:
        self.model.bind(backend)
        try:
            error = refusal(lambda: backend.bound(self.model))
            if error is None:
                assert [entry for entry in self.model.extensions() if entry.state == "inactive"]
            else:
                assert isinstance(error, ConfigurationError | UnsupportedOperationError)
                assert self.model.__name__ in str(error)
                assert backend.backend_name in str(error)
        finally:
            self.model.bind(None)

    def test_binding_it_again_changes_nothing(self, ready: Any, backend: Backend) -> None:
        ready.create(**self.row(0))
        before = [entry.name for entry in ready.extensions()]
        backend.initialize(ready)
        assert [entry.name for entry in ready.extensions()] == before
        assert ready.get(**self._key(0)) is not None

    # -- every way to write -------------------------------------------------------------------------------------------

    def test_a_created_row_is_read_back_equal_by_every_read(self, ready: Any, backend: Backend) -> None:
        made, key = ready.create(**self.row(0)), self._key(0)
        assert ready.get(**key) == made
        assert ready.all() == [made]
        assert ready.where(**key).one() == made
        assert list(ready.where()) == [made]
        assert ready.batch_get([key, self._key(1)]) == [made, None]
        assert made.refresh() == ready.get(**key)
        assert backend.get(ready, **key) == vars(made)
        assert ready.where(**key).select().one() == vars(made)

    def test_a_taken_key_is_refused(self, ready: Any) -> None:
        made = ready.create(**self.row(0))
        with pytest.raises(DuplicateKeyError):
            ready.create(**self.row(0))
        assert ready.all() == [made]

    def test_a_new_instance_is_saved_like_a_created_row(self, ready: Any) -> None:
        made = ready(**self.row(0)).save()
        assert ready.get(**self._key(0)) == made

    def test_update_and_save_store_and_show_what_is_stored(self, ready: Any) -> None:
        row, key = ready.create(**self.row(0)), self._key(0)
        row.update(**self.changes)
        assert ready.get(**key) == row
        assert self._changed(row)
        found = ready.get(**key)
        for name, value in self.row(0).items():
            if name not in key:
                setattr(found, name, value)
        found.save()
        assert ready.get(**key) == found
        assert ready.count() == 1

    def test_upsert_writes_a_new_row_and_over_an_old_one(self, ready: Any) -> None:
        made, key = ready.upsert(**self.row(0)), self._key(0)
        assert ready.get(**key) == made
        again = ready.upsert(**{**self.row(0), **self.changes})
        assert ready.get(**key) == again
        assert self._changed(again)
        again.update(**self.changes)
        assert ready.count() == 1

    def test_delete_hides_the_row_from_every_read_and_is_done_once(self, ready: Any) -> None:
        row, other, key = ready.create(**self.row(0)), ready.create(**self.row(1)), self._key(0)
        assert (row.delete(), row.delete()) == (True, False)
        assert ready.get(**key) is None
        assert ready.all() == [other]
        assert ready.count() == 1
        with pytest.raises(NotFoundError):
            row.update(**self.changes)

    def test_batches_write_every_row(self, ready: Any) -> None:
        made = ready.batch_create([self.row(number) for number in range(5)])
        keys = [self._key(number) for number in range(5)]
        assert ready.batch_get(keys) == made
        with pytest.raises(BatchError) as caught:
            ready.batch_create([self.row(5), self.row(0)])
        assert list(caught.value.failed) == [1]
        again = ready.batch_upsert([{**self.row(number), **self.changes} for number in range(5)])
        assert ready.batch_get(keys) == again
        assert all(map(self._changed, again))

    def test_update_and_delete_by_query_write_every_row_that_matches(self, ready: Any) -> None:
        ready.batch_create([self.row(number) for number in range(4)])
        assert ready.where(**self._key(1)).update(**self.changes) == 1
        assert self._changed(ready.get(**self._key(1)))
        assert ready.where().update(**self.changes) == 4
        assert all(map(self._changed, ready.all()))
        assert ready.where(**self._key(2)).delete() == 1
        assert ready.get(**self._key(2)) is None
        assert ready.where().delete() == 3
        assert (ready.count(), ready.all()) == (0, [])

    def test_queries_page_through_all_rows_once(self, ready: Any) -> None:
        made = ready.batch_create([self.row(number) for number in range(7)])
        walked = paged_rows(ready.where(), 3)
        assert len(walked) == ready.count() == 7
        assert all(one in walked for one in made)
        assert ready.where().limit(2).offset(1).all() == walked[1:3]
        assert ready.where().explain()

    @awaited
    async def test_the_async_twins_do_the_same(self, ready: Any) -> None:
        row, key = await ready.acreate(**self.row(0)), self._key(0)
        await row.aupdate(**self.changes)
        assert await ready.aget(**key) == row
        assert self._changed(row)
        await ready.aupsert(**self.row(1))
        await ready.abatch_create([self.row(2), self.row(3)])
        assert await ready.acount() == len([one async for one in ready.where()]) == 4
        assert await row.adelete() is True
        assert await ready.where().adelete() == 3

    @atomic
    def test_a_transaction_stores_all_or_nothing(self, ready: Any, backend: Backend) -> None:
        row, gone = ready.create(**self.row(0)), ready.create(**self.row(1))
        with backend.transaction():
            row.update(**self.changes)
            gone.delete()
            ready.create(**self.row(2))
            ready.upsert(**self.row(3))
        assert self._changed(row)
        assert ready.get(**self._key(0)) == row
        assert ready.get(**self._key(1)) is None
        assert ready.count() == 3
        before = list(ready.where())
        with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
            row.delete()
            ready.create(**self.row(4))
            ready.create(**self.row(2))
        assert list(ready.where()) == before

    # -- beside others ------------------------------------------------------------------------------------------------

    def test_another_extension_runs_beside_it_on_every_path(self, use: Use) -> None:
        model = self._subclass("Beside", (Witnessed, self.model))
        use(model)
        paths: dict[str, Call] = {
            "create": lambda: model.create(**self.row(0)),
            "save": lambda: model(**self.row(1)).save(),
            "update": lambda: model.get(**self._key(0)).update(**self.changes),
            "upsert": lambda: model.upsert(**self.row(0)),
            "batch_create": lambda: model.batch_create([self.row(2)]),
            "batch_upsert": lambda: model.batch_upsert([self.row(3)]),
            "update by query": lambda: model.where(**self._key(0)).update(**self.changes),
            "delete": lambda: model.get(**self._key(0)).delete(),
            "delete by query": lambda: model.where(**self._key(1)).delete(),
        }
        for path, write in paths.items():
            CALLS.clear()
            write()
            assert CALLS.count("before_write") == 1, path
            assert CALLS.count("after_write") == 1, path
            CALLS.clear()
            assert len(model.all()) == model.count()
            assert CALLS.count("after_read") >= model.count(), f"reading after {path}"

    def test_serialize_and_deserialize_are_inverse(self, ready: Any, backend: Backend) -> None:
        bound = backend.bound(ready)
        for number in range(3):
            record = bound.encode(ready.create(**self.row(number)))
            for one in self._own(backend, ready):
                there = one.serialize(dict(record))
                assert record.keys() <= there.keys(), f"{type(one).__qualname__} lost an attribute"
                assert one.deserialize(dict(there)) == record, type(one).__qualname__

    def test_it_keeps_nothing_of_a_call(self, ready: Any, backend: Backend) -> None:
        def told() -> list[dict[str, str]]:
            return [{name: repr(value) for name, value in vars(one).items()} for one in self._own(backend, ready)]

        ready.create(**self.row(0)).update(**self.changes)
        before = told()
        ready.create(**self.row(1)).delete()
        ready.batch_upsert([self.row(2), self.row(3)])
        ready.where().update(**self.changes)
        assert refusal(lambda: ready.create(**self.row(2))) is not None
        assert told() == before

    # -- without it ---------------------------------------------------------------------------------------------------

    def test_rows_outlive_the_extension_or_say_what_they_need(self, ready: Any, backend: Backend) -> None:
        made = ready.create(**self.row(0))
        names = [entry.name for entry in ready.extensions() if entry.state == "active"]
        with mixstore.registry():
            mixstore.configure(backends={"without": {"url": "memory://", "extensions": {"disable": names}}})
            current().connect_as("without", backend)
            name, backend.config_name = backend.config_name, "without"
            bare = self._same_entity()
            try:
                bare.bind(backend)
                found: list[Any] = []
                error = refusal(lambda: found.append(bare.get(**self._key(0))))
                if error is None:
                    assert vars(found[0]) == vars(made)
                else:  # it is required, or nobody else can read what it stored
                    assert isinstance(error, ConfigurationError | CorruptRecordError)
                    assert any(one in str(error) for one in names)
            finally:
                backend.config_name = name
                bare.bind(None)
                current().named.clear()  # or the registry would close the backend

    def test_the_model_says_where_an_error_comes_from(self, ready: Any, backend: Backend) -> None:
        ready.create(**self.row(0))
        error: MixstoreError = refusal(lambda: ready.create(**self.row(0)))
        assert (error.model, error.backend) == (ready, backend.backend_name)
        assert error.key == backend.adapter.get_primary_key_value(ready(**self.row(0)))

    def _subclass(self, name: str, bases: tuple[type, ...], **meta: Any) -> Any:
        place: dict[str, Any] = {"__module__": self.model.__module__, "__qualname__": name}
        if meta:
            place["Meta"] = type("Meta", (), {**place, "__qualname__": f"{name}.Meta", **meta})
        model_type: Any = type(self.model)
        return model_type(name.rpartition(".")[2], bases, place)

    def _same_entity(self) -> Any:
        """The same model once more, as after a new start of the application."""
        return self._subclass(self.model.__qualname__, (self.model,), entity=schema_of(self.model).entity)
