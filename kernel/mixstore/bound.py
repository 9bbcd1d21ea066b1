"""`Bound`: one model on one backend, with everything that can be prepared, prepared."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from copy import deepcopy
from functools import cached_property, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mixstore import assigning, codecs, watching
from mixstore.adapter import sealed
from mixstore.drivers import adrive, driver
from mixstore.envelopes import Envelope
from mixstore.events import Event
from mixstore.expressions import TRUE, Matcher, conjunction, prepared
from mixstore.failures import NOTHING_READ, hook_failed, hook_gave
from mixstore.nested import private_defaults
from mixstore.query import Explanation, Page, Query
from mixstore.registry import current
from mixstore.state import slot_setter
from mixstore.transaction import open_on, open_transactions

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.backend import Backend
    from mixstore.chain import Chain
    from mixstore.schema import ModelSchema
    from mixstore.transaction import Transaction
    from mixstore.write import KeyValue

NO_OPTIONS: Mapping[str, Any] = {}
_members = vars(BaseModel)
_set_dict = _members["__dict__"].__set__
_set_fields_set = _members["__pydantic_fields_set__"].__set__
_set_extra = _members["__pydantic_extra__"].__set__
_set_private = _members["__pydantic_private__"].__set__


class Bound:
    """A (model, backend) pair: schema, chain of extensions, codecs and prepared functions.

    `engine` is what executes plans: the backend itself when it is planned, otherwise what stands in front of it.
    `plain` means: no extension and no write hook, so that writes take the short way.
    """

    def __init__(
        self, schema: ModelSchema, backend: Backend, engine: Any, chain: Chain, observed: bool = False
    ) -> None:
        self.schema = schema
        self.model = schema.model
        self.backend = backend
        self.engine = engine
        self.chain = chain
        self.key_from = schema.key_from
        self.names = tuple(schema.fields)
        codec = engine.adapter.codec(self.model)
        self.encode: Callable[[Any], dict[str, Any]] = _index_checked(schema, codec.encode)
        self.decode: Callable[[Mapping[str, Any]], dict[str, Any]] = codec.decode
        self._key_of: Callable[[Mapping[str, Any]], KeyValue] = codec.key_of
        validator = self.model.__pydantic_validator__
        self.validate: Callable[[dict[str, Any]], Any] = (
            partial(validator.validate_python, by_name=True) if schema.aliased else validator.validate_python
        )
        self.arguments = schema.declared.arguments
        hooks = schema.hooks
        self.after_load = hooks["after_load"]
        self.plain = chain.empty and not any(hooks[event] for event in hooks if event != "after_load")
        self.mutable = {
            name: copy
            for name, spec in schema.fields.items()
            if not spec.type.scalar and (copy := codecs.copier(spec.type).decode) is not None
        }
        self.native: Any = None
        self.native = engine.prepare(self)
        self._to_record: Callable[[Any], dict[str, Any]] = engine.row_record(self) or dict
        self.values_from_row = self._row_to_values()
        self.construct = _constructor(self.model, self.names)
        self._copy = _copier(self.model)
        self.point_filter = self._point_filter()
        self.dead = None if chain.evict is None else prepared(chain.evict)
        self.run: Callable[[str, Generator[Any, Any, Any]], Any]
        """Execute a lifecycle now: `run(operation, steps)`."""
        self.observed = observed
        self.watch(False)

    @cached_property
    def fields_only(self) -> assigning.Assign | None:
        """How several fields are assigned before the validators of the model see them."""
        return assigning.fields_only(self.model)

    # -- driving ------------------------------------------------------------------------------------------------------

    def watch(self, watched: bool) -> None:
        """From now on tell those who are `watching` of every plan, or do not."""
        self.watched = watched
        self._drive = partial(watching.drive, self) if watched else driver(self.engine.execute)
        self.observe(self.observed)

    def observe(self, observed: bool) -> None:
        """From now on tell the registry's observers of every operation, or do not."""
        self.observed = observed
        self.run = self._observed_run if observed else self._drive

    def _observed_run(self, operation: str, steps: Generator[Any, Any, Any]) -> Any:
        started = perf_counter()
        try:
            result = self._drive(operation, steps)
        except BaseException as error:
            self._observe(operation, started, None, error)
            raise
        self._observe(operation, started, result, None)
        return result

    async def arun(self, operation: str, steps: Generator[Any, Any, Any]) -> Any:
        """Execute a lifecycle, awaiting the backend."""
        started = perf_counter()
        try:
            execute = partial(watching.aexecuted, self, operation) if self.watched else self.engine.aexecute
            result = await adrive(execute, steps)
        except BaseException as error:
            self._observe(operation, started, None, error)
            raise
        self._observe(operation, started, result, None)
        return result

    def _observe(self, operation: str, started: float, result: Any, error: BaseException | None) -> None:
        if not self.observed:
            return
        seconds = perf_counter() - started
        current().notify(Event(operation, self.model, self.backend.backend_name, seconds, _rows_in(result), error))

    def transaction(self) -> Transaction | None:
        """The transaction that this task or thread has open on the backend, if any."""
        return open_on(self.backend) if open_transactions() else None

    def _point_filter(self, options: Mapping[str, Any] = NO_OPTIONS) -> Callable[[Mapping[str, Any]], Matcher] | None:
        """What a row that is read by its key must fulfil to be seen, per environment; None if nothing hides rows."""
        from mixstore.reads import modified

        seen = self.chain.visibility(options)
        query = Query(self.model).replace(options=dict(options))
        asked = modified(self, query).where if self.chain.modify_query else TRUE
        wanted = conjunction(seen, asked)
        return None if wanted == TRUE else prepared(wanted)

    def death(self, values: Mapping[str, Any]) -> datetime | None:
        """When a row with these values dies of itself; None if that is never, or not sure."""
        moments: list[datetime] = []
        for extension, dies in self.chain.dies:
            try:
                moment = dies(values)
            except Exception as error:
                raise hook_failed(self, type(extension).__qualname__, "dies", None, error) from error
            if moment is not None:
                moments.append(moment)
        return min(moments) if moments else None

    def visible(self, now: datetime, options: Mapping[str, Any] = NO_OPTIONS) -> Matcher:
        """What tells of a row's values whether it may be seen at that moment, under these query options."""
        wanted = self._point_filter(options) if options else self.point_filter
        return (lambda values: True) if wanted is None else wanted({"now": now})

    def key(self, key: Any, filters: Mapping[str, Any]) -> KeyValue:
        """The key that a caller gives, as `get()` takes it: a value, a tuple, a dict, or names. QueryError."""
        from mixstore.points import key_of

        return key_of(self, dict(filters) if key is None else key)

    # -- rows, records, values, instances -----------------------------------------------------------------------------

    def stored_of(self, row: Any) -> dict[str, Any]:
        """The row as a record, in the stored form. Not to be changed."""
        return row if self._to_record is dict else self._to_record(row)

    def plain_record(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """A stored record as the adapter made it: what extensions added or replaced is undone."""
        record = dict(stored)
        for step in self.chain.deserialize:
            record = self._step(step, stored, record)
        for name in self.chain.opaque:
            if type(envelope := record.get(name)) is Envelope:
                raise sealed(self.schema, name, record, envelope)
        return record

    def _step(self, step: Callable[..., Any], stored: Mapping[str, Any], *args: Any) -> dict[str, Any]:
        """What an extension makes of a record or of values; `stored` says which row it is, should the hook fail."""
        try:
            result = step(*args)
        except Exception as error:
            raise hook_failed(self, *self._hook_of(step, stored), error, NOTHING_READ) from error
        if type(result) is not dict:
            raise hook_gave(self, *self._hook_of(step, stored), "a dict", result, NOTHING_READ)
        return result

    def _hook_of(self, step: Any, stored: Mapping[str, Any]) -> tuple[str, str, KeyValue | None]:
        try:
            key = self._key_of(stored)
        except Exception:
            key = None  # the row may be damaged, which the error of the hook is about
        return type(step.__self__).__qualname__, step.__name__, key

    def outdated(self, stored: Mapping[str, Any]) -> set[str]:
        """The fields whose stored value an extension wants to be written anew."""
        record, found = dict(stored), set[str]()
        for extension in reversed(self.chain.extensions):
            try:
                found.update(extension.outdated(record))
            except Exception as error:
                raise hook_failed(self, *self._hook_of(extension.outdated, stored), error, NOTHING_READ) from error
            record = self._step(extension.deserialize, stored, record)
        return found

    def key_of_stored(self, stored: Mapping[str, Any]) -> KeyValue:
        """The key of a stored record."""
        return self._key_of(self.plain_record(stored) if self.chain.deserialize else stored)

    def _row_to_values(self) -> Callable[[Any], dict[str, Any]]:
        if not self.chain.deserialize and not self.chain.after_read:
            quick = self.engine.row_values(self)
            if quick is not None:
                return quick  # type: ignore[no-any-return]
            if self.engine.row_record(self) is None:
                return self.decode

        return lambda row: self.values_from_record(self.stored_of(row))

    def stored_values(self, row: Any) -> dict[str, Any]:
        """The python values of a row as they are stored, before `after_read`: what filters, orders and cursors see."""
        if not self.chain.after_read:
            return self.values_from_row(row)
        return self.decode(self.plain_record(self.stored_of(row)))

    def values_from_record(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The python values of a record in the stored form, as its readers get them."""
        return self._after_read(stored, self.decode(self.plain_record(stored)))

    def after_read(self, row: Any, values: dict[str, Any]) -> dict[str, Any]:
        """What readers get of a row whose values as stored are known."""
        return self._after_read(self.stored_of(row), values) if self.chain.after_read else values

    def _after_read(self, stored: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        for step in self.chain.after_read:
            values = self._step(step, stored, None, values)
            if values.keys() != self.schema.fields.keys():
                odd = ", ".join(sorted(values.keys() ^ self.schema.fields.keys()))
                lost = TypeError(f"it must give a value for each field and nothing else: {odd}")
                raise hook_failed(self, *self._hook_of(step, stored), lost, NOTHING_READ)
        return values

    def load(self, row: Any, key: KeyValue | None = None, values: dict[str, Any] | None = None) -> Any:
        """An instance of a row (whose values may be known already), with its state; runs `after_load` hooks."""
        instance = self.construct(values or self.values_from_row(row), (self, row, None, key))
        if self.after_load:
            for hook in self.after_load:
                try:
                    hook(instance, None)
                except Exception as error:
                    name, found = self.schema.name, self.key_from(instance.__dict__)
                    raise hook_failed(self, name, hook.__name__, found, error, NOTHING_READ) from error
        return instance

    def load_all(self, rows: list[Any]) -> list[Any]:
        """Instances of many rows; None for one that is not there."""
        if self.after_load:
            return [None if row is None else self.load(row) for row in rows]
        construct, values_from_row = self.construct, self.values_from_row
        return [None if row is None else construct(values_from_row(row), (self, row, None, None)) for row in rows]

    def values_of(self, instance: Any) -> dict[str, Any]:
        """The python values of an instance, by field; mutable ones are copies."""
        values = instance.__dict__
        told = {name: values[name] for name in self.names}
        for name, copy in self.mutable.items():
            if told[name] is not None:
                told[name] = copy(told[name])
        return told

    def candidate(self, instance: Any) -> Any:
        """A copy of an instance for hooks to work on; nothing in it is shared that can change."""
        copied = self._copy(instance)
        values = copied.__dict__
        for name, copy in self.mutable.items():
            if values.get(name) is not None:
                values[name] = _copied(copy, values[name])
        return copied


def _copied(copy: Callable[[Any], Any], value: Any) -> Any:
    """A copy of a value of a field, which may not be of the field's type yet: that is told when it is checked."""
    try:
        return copy(value)
    except Exception:
        try:
            return deepcopy(value)
        except Exception:
            return value  # a view of a dict, say


def _index_checked(schema: ModelSchema, encode: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Refuses, on every backend alike, values that an index can't hold."""
    makers = tuple(spec.key_from for spec in schema.indexes.values())
    if not makers:
        return encode

    def checked(instance: Any) -> dict[str, Any]:
        record = encode(instance)
        for make in makers:
            make(instance.__dict__)
        return record

    return checked


def _rows_in(result: Any) -> int:
    """How many rows an operation was about, by what it answers: rows, a page, a number, or whether there is one."""
    match result:
        case int():
            return int(result)
        case list():
            return sum(row is not None for row in result)
        case Page():
            return len(result.items)
        case (list() as items, _):  # a page of an iteration, and where to go on
            return len(items)
        case None | Explanation():
            return 0
        case _:
            return 1


def _copier(model: type[Any]) -> Callable[[Any], Any]:
    """What makes a shallow copy of an instance, new to the store: `model_copy`, without needless detours."""
    if model.model_copy is not BaseModel.model_copy or model.__copy__ is not BaseModel.__copy__:
        return lambda instance: instance.model_copy()
    if getattr(model, "__private_attributes__", None):
        return lambda instance: instance.model_copy()
    new = object.__new__

    def copy(instance: Any) -> Any:
        if instance.__class__ is not model:
            return instance.model_copy()
        copied = new(model)
        _set_dict(copied, dict(instance.__dict__))
        _set_fields_set(copied, set(instance.__pydantic_fields_set__))
        _set_extra(copied, None)
        _set_private(copied, None)
        return copied

    return copy


def _constructor(model: type[Any], names: tuple[str, ...]) -> Callable[[dict[str, Any], tuple[Any, ...]], Any]:
    """A function that makes an instance of values known to be right, with no validator run."""
    set_state = slot_setter()
    private = getattr(model, "__private_attributes__", {})
    fields = set(names)  # shared: pydantic only ever adds names of fields, and all are in it
    new = object.__new__

    def construct(values: dict[str, Any], state: tuple[Any, ...]) -> Any:
        instance = new(model)
        _set_dict(instance, values)
        _set_fields_set(instance, fields)
        _set_extra(instance, None)
        _set_private(instance, private_defaults(model, values) if private else None)
        set_state(instance, state)
        return instance

    return construct
