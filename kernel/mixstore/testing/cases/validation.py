"""When a model's validators and constraints are heard, and under which names its fields are stored."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import (
    AfterValidator,
    BeforeValidator,
)

from mixstore import Field, Model, ValidationError
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use

RUNS: list[str] = []


def hashed(value: str) -> str:
    """A validator that must run once."""
    RUNS.append(value)
    return f"#{value}"


class Secret(Model):
    """A field that its validator changes, an alias, a computed default."""

    id: str = Field(primary_key=True)
    password: Annotated[str, AfterValidator(hashed)] = ""
    count_: Annotated[int, BeforeValidator(lambda value: int(value) * 2)] = 0
    other: int = Field(0, alias="OtherName")
    made: list[int] = Field(default_factory=lambda: [1, 2])


class Limits(Model):
    """Constraints."""

    id: str = Field(primary_key=True)
    age: int = Field(0, ge=0, le=150)
    name: str = Field("", max_length=5)


class ValidationCases(Conformance):
    """When a model's validators and constraints are heard, and under which names its fields are stored."""

    def test_validators_run_on_what_the_caller_gives_and_never_on_load_or_save(self, use: Use) -> None:
        use(Secret)
        RUNS.clear()
        secret = Secret.create(id="a", password="x", count_=1)
        assert (secret.password, secret.count_, RUNS) == ("#x", 2, ["x"])
        found = Secret.get("a")
        assert (found.password, found.count_) == ("#x", 2)
        found.other = 5
        found.save()
        found.update(other=6)
        Secret.where().update(other=7)
        assert Secret.get("a").password == "#x"
        assert RUNS == ["x"]
        found.refresh().update(password="y")
        assert (Secret.get("a").password, RUNS) == ("#y", ["x", "y"])

    def test_storage_uses_the_names_of_fields(self, use: Use) -> None:
        use(Secret)
        Secret.create(id="a", other=3)
        assert Secret.get("a").other == 3
        assert Secret.where(other=3).count() == 1
        assert Secret.where().select("other").one() == {"other": 3}
        assert Secret.get("a").made == [1, 2]

    def test_save_checks_constraints_and_filters_do_not(self, use: Use) -> None:
        use(Limits)
        row = Limits.create(id="a", age=10)
        row.age = 151
        with pytest.raises(ValidationError) as caught:
            row.save()
        assert caught.value.field == "age"
        with pytest.raises(ValidationError):
            Limits.upsert(id="b", name="too long")
        assert Limits.where(age__lt=-5).count() == 0
        assert Limits.where(age__lt=1000, name__ne="longer than five").count() == 1
