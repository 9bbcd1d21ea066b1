"""A mixin that stands for encryption, for tests of what other mixins do with values that are stored replaced."""

from __future__ import annotations

from mixstore import BackendExtension, Declaration, Mixin


class Sealed(Mixin):
    """Stands for encryption: the stored text is turned around, under a tag."""

    Declares = Declaration(options={"sealed": bool})

    class Sealing(BackendExtension):
        def opaque(self, model_class):
            return {name: "refuse" for name, spec in self.schema.fields.items() if spec.option("sealed")}

        def serialize(self, data):
            return {**data, **{n: b"\x00" + data[n].encode()[::-1] for n in self.opaque(None) if data[n] is not None}}

        def deserialize(self, data):
            return {**data, **{n: data[n][1:][::-1].decode() for n in self.opaque(None) if data[n] is not None}}
