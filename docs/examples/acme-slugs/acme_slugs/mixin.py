"""The mixin: what it adds to a model, and the extensions that do the work."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, ClassVar

import pydantic
from mixstore import BackendExtension, Declaration, Field, Mixin, SchemaError, WriteChange, WriteContext


def slugify(text: str, separator: str = "-", longest: int | None = None) -> str:
    """`"Crème brûlée!"` -> `"creme-brulee"`, of at most `longest` characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)
    return slug[:longest].rstrip(separator)


class Slugged(Mixin):
    """`slug` is filled from the field that `Meta.slug_from` names, unless it is set already."""

    slug: str = Field("", index=True)

    Declares = Declaration(meta={"slug_from": str})

    class Anywhere(BackendExtension):
        """What it does on every backend that has no extension of its own below."""

        most: ClassVar[int | None] = None
        """How many characters the engine's index takes; None if it does not matter."""

        class Options(BackendExtension.Options):
            """What the config may set, checked when a model is bound."""

            separator: str = "-"
            longest: int | None = pydantic.Field(None, gt=0)

        def configure_backend(self, model_class: type[Any]) -> None:
            source = self.schema.meta.get("slug_from")
            if source is None:
                raise SchemaError(
                    f"{self.schema.name} does not say what its slug is made of",
                    model=model_class,
                    hint='class Meta: slug_from = "title"',
                )
            self.schema.field(source, "has a Meta.slug_from that is no field:")

        def before_write(self, context: WriteContext) -> WriteChange | None:
            if context.operation == "delete" or context.values["slug"]:
                return None
            text = str(context.values[self.schema.meta["slug_from"]])
            return WriteChange({"slug": slugify(text, self.options.separator, self.options.longest or self.most)})

    class SQLite(Anywhere):
        """An entry of an index spills to overflow pages beyond about 1,000 bytes (https://sqlite.org/fileformat2.html).

        A backend is named exactly where its engine does something better, or needs something else.
        """

        backend_name = "sqlite"
        most = 1000
