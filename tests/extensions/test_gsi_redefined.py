"""Indexes of a class that is defined anew, as after a restart: the rows that were there are in them."""

from __future__ import annotations

from typing import Any

from mixstore import GSI, Field, Model, gsi_partition_key
from tests.backends.shared.support import ids
from tests.extensions.test_gsi import by


def redefined(*indexes: GSI) -> Any:
    class Again(Model):
        class Meta:
            entity = "Again"

        id: str = Field(primary_key=True)
        group: str = ""
        n: int = 0

    Again.__mixstore_definition__.meta["indexes"] = indexes
    return Again


def test_rows_that_lack_a_new_field_take_its_default_in_an_index_too(use):
    class Grown(Model):
        class Meta:
            entity = "Grown"

        id: str = Field(primary_key=True)

    use(Grown).create(id="1")
    Grown.bind(None)

    class Grown(Model):  # type: ignore[no-redef]
        class Meta:
            entity = "Grown"
            indexes = [GSI("by_rank", partition="ALL", sort="{rank:02d}"), GSI("by_name", partition="{name}")]

        id: str = Field(primary_key=True)
        rank: int = 7
        name: str | None = None

    use(Grown).create(id="2", rank=3, name="x")
    assert by(Grown.where().order_by("rank").limit(5)) == "by_rank"
    assert sorted(ids(Grown.where().order_by("rank").limit(5).all())) == ["1", "2"]
    assert ids(Grown.where().using("by_name").all()) == ["2"]
    assert sorted(ids(Grown.where().using("by_rank").all())) == ["1", "2"]
    Grown.get("1").update(rank=1)
    assert ids(Grown.where(rank__lt=3).all()) == ["1"]


def test_an_index_that_is_added_later_has_the_rows_that_were_there(use):
    old = use(redefined())
    old.batch_create([{"id": str(n), "group": "ab"[n % 2], "n": n} for n in range(6)])
    new = use(redefined(GSI("by_group", partition="{group}", sort="{n:03d}")))
    asked = new.where(group="a", n__gte=2).order_by("-n")
    assert by(asked) == "by_group"
    assert ids(asked.all()) == ["4", "2"]
    other = use(redefined(GSI("by_group", partition="{n:03d}")))
    assert by(other.where(n=3)) == "by_group"
    assert ids(other.where(n=3).all()) == ["3"]
    assert ids(use(redefined()).where(group="b").order_by("id").all()) == ["1", "3", "5"]


def test_rows_that_a_new_index_can_not_hold_are_found_all_the_same(use):
    old = use(redefined())
    old.batch_create([{"id": "1", "group": "a", "n": 5}, {"id": "2", "group": "a", "n": 5000}])
    new = use(redefined(GSI("by_group", partition="{group}", sort="{n:02d}")))
    assert ids(new.where(group="a").order_by("-n").all()) == ["2", "1"]
    assert ids(new.where(n__gt=10).using("by_group").all()) == ["2"]
    new.get("2").update(n=50)
    assert ids(new.where(group="a", n__gte=50).all()) == ["2"]


def test_rows_of_which_a_new_method_can_make_no_key_are_read_all_the_same(use):
    use(redefined()).batch_create([{"id": "1", "n": 0}, {"id": "2", "n": 4}])

    class Again(Model):
        class Meta:
            entity = "Again"

        id: str = Field(primary_key=True)
        group: str = ""
        n: int = 0

        @gsi_partition_key("by_part")
        def part(self) -> str:
            return str(12 // self.n)

    Again.__qualname__ = "redefined.<locals>.Again"
    use(Again)
    assert ids(Again.where(id__regex="[12]").order_by("id").all()) == ["1", "2"]
    assert ids(Again.where().using("by_part").all()) == ["2"]
