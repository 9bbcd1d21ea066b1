"""Whether the values of an instance fit its fields, and which of them changed. No validator of a model runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pydantic
from pydantic import BaseModel, TypeAdapter

from mixstore import types
from mixstore.errors import ValidationError

if TYPE_CHECKING:
    from mixstore.bound import Bound


_known: WeakKeyDictionary[type[BaseModel], dict[str, Callable[[Any], Any]]] = WeakKeyDictionary()
"""The validators of the fields of nested models, made when one is first looked into."""


def fitting(validators: Mapping[str, Callable[[Any], Any]]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether each validator gives back its value as it is: one expression, with no loop. False: look at each.

    The text holds nothing but `repr()` of names, and names made here.
    """
    names = {f"f{position}": validator for position, validator in enumerate(validators.values())}
    same = " and ".join([f"{f}(v := d[{name!r}]) is v" for f, name in zip(names, validators, strict=True)])
    lines = ["def fits(d):", " try:", f"  return {same}", " except Exception:", "  return False", ""]
    exec(compile("\n".join(lines), "<mixstore fits>", "exec"), names)  # noqa: S102
    return names["fits"]


def differs(new: Any, old: Any) -> bool:
    """Whether two stored values are not the same; True is not 1."""
    return new is not old and (new != old or type(new) is not type(old))


def alike(new: Any, old: Any) -> bool:
    """Whether two values are the same down to the types of their elements: [1] and [True] are not."""
    if new is old:
        return True
    if type(new) is not type(old):
        return False
    if isinstance(new, BaseModel):
        return alike(new.__dict__, old.__dict__) and alike(new.__pydantic_extra__, old.__pydantic_extra__)
    if isinstance(new, dict):
        return new.keys() == old.keys() and all(alike(value, old[key]) for key, value in new.items())
    if isinstance(new, list | tuple):
        return len(new) == len(old) and all(map(alike, new, old))
    return bool(new == old)


def check_fields(
    bound: Bound, instance: Any, old: Mapping[str, Any] | None, trusted: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any], Sequence[str]]:
    """(record, values, names): the record of an instance whose changed fields fit their annotation and constraints, the
    values that these became by that, and the names of the changed fields.

    `old` is the record as loaded, `trusted` values known to be right: what equals them is not checked. The model's own
    validators don't run. ValidationError names every field that does not fit.
    """
    values = instance.__dict__
    record: dict[str, Any] | None
    try:
        record = bound.encode(instance)
    except ValidationError:
        record = None
    if old is None and record is not None and bound.schema.fits(values):
        return record, {}, bound.names
    changed = _suspects(bound, values, record, old)
    fixed = _fixed(bound, changed, values, trusted or {})
    if record is None or fixed:
        copied = instance.model_copy()
        copied.__dict__.update(fixed)
        record = bound.encode(copied)
        changed = list(bound.names) if old is None else _changed(bound, record, old)
    return record, fixed, changed


def _fixed(bound: Bound, names: list[str], values: Mapping[str, Any], trusted: Mapping[str, Any]) -> dict[str, Any]:
    """What values become by their annotations, where that is another. ValidationError for all that do not fit."""
    fields = bound.schema.fields
    fixed: dict[str, Any] = {}
    errors: list[Any] = []
    for name in names:
        if name in trusted:
            known = trusted[name]
            if values.get(name) is known or not differs(values.get(name), known):
                continue
        try:
            value = values[name]
            fitting = fields[name].validator(value)
            if not fields[name].type.scalar:
                fitting = _inside(fitting, (name,), errors)
            if fitting is not value and not alike(fitting, value):
                fixed[name] = fitting
        except KeyError:
            errors.append({"type": "missing", "loc": (name,), "msg": "Field required"})
        except pydantic.ValidationError as error:
            errors += _errors(error, (name,))
        except RecursionError:
            errors.append({"type": "recursion_loop", "loc": (name,), "msg": "nested too deeply, or contains itself"})
    if errors:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
        raise ValidationError(
            f"{bound.schema.name} refuses {told}",
            errors=errors,
            field=str(errors[0]["loc"][0]),
            model=bound.model,
        )
    return fixed


def _suspects(
    bound: Bound, values: Mapping[str, Any], record: Mapping[str, Any] | None, old: Mapping[str, Any] | None
) -> list[str]:
    """The fields to look at: all of a new row, else those that changed."""
    if old is None:
        return list(bound.names)
    if record is not None:
        return _changed(bound, record, old)
    loaded = bound.decode(old)
    return [name for name in bound.names if name not in values or not alike(values[name], loaded[name])]


def _changed(bound: Bound, record: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """The fields whose record form differs; what is compared is inlined from `differs`, since this is on every save."""
    fields, loose = bound.schema.fields, bound.schema.loose
    return [
        name
        for name, new in record.items()
        if new is not (was := old.get(name))
        and (new != was or type(new) is not type(was) or (name in loose and not alike(new, was)))
        and name in fields
    ]


def _errors(error: pydantic.ValidationError, place: tuple[Any, ...]) -> list[Any]:
    found = error.errors(include_url=False, include_input=False)
    return [{**one, "loc": (*place, *one["loc"])} for one in found]


def _inside(value: Any, place: tuple[Any, ...], errors: list[Any]) -> Any:
    """A value with what is nested in it as its annotation has it; what does not fit is added to `errors`.

    pydantic takes instances of nested models as they are, and they may have been changed since they were made.
    """
    if isinstance(value, BaseModel):
        return _nested(value, place, errors)
    if isinstance(value, dict):
        return {key: _inside(element, (*place, key), errors) for key, element in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)([_inside(element, (*place, n), errors) for n, element in enumerate(value)])
    return value


def _nested(instance: BaseModel, place: tuple[Any, ...], errors: list[Any]) -> BaseModel:
    values = instance.__dict__
    fitting: dict[str, Any] = {}
    for name, validator in _validators(type(instance)).items():
        here = (*place, name)
        try:
            fitting[name] = _inside(validator(values[name]), here, errors)
        except KeyError:
            errors.append({"type": "missing", "loc": here, "msg": "Field required"})
        except pydantic.ValidationError as error:
            errors += _errors(error, here)
    if alike(fitting, values):
        return instance
    copied = instance.model_copy()
    copied.__dict__.update(fitting)
    return copied


def _validators(model: type[BaseModel]) -> dict[str, Callable[[Any], Any]]:
    known = _known.get(model)
    if known is None:
        known = _known[model] = {
            name: TypeAdapter(types.constrained(types.annotated(info))).validator.validate_python
            for name, info in model.__pydantic_fields__.items()
        }
    return known
