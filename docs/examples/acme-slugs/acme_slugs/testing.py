"""What the mixin promises on every backend, for whoever tests one; needs the extra `testing` of mixstore."""

from __future__ import annotations

from typing import Any

from mixstore import Field, Model
from mixstore.testing import ExtensionConformance

from acme_slugs.mixin import Slugged


class Article(Slugged, Model):
    """A model of the cases."""

    class Meta:
        slug_from = "title"

    id: str = Field(primary_key=True)
    title: str


class SluggedConformance(ExtensionConformance):
    """Subclass it in a class whose name begins with `Test`; a fixture `backend` gives it another backend."""

    mixin = Slugged
    model = Article
    changes = {"title": "Another"}

    def row(self, number: int) -> dict[str, Any]:
        return {"id": f"a{number}", "title": f"Title {number}"}

    def test_a_row_is_found_by_its_slug(self, ready: Any) -> None:
        ready.create(id="a1", title="Crème brûlée!")
        ready.create(id="a2", title="Tarte")
        assert [row.id for row in ready.where(slug="creme-brulee")] == ["a1"]
