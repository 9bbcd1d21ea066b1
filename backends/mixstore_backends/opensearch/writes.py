"""One write: what the engine is told to do, as lines of a bulk, and what it depends on. Pure; `units` runs it.

Each write is about one document, so that it is atomic by itself. What depends on the document that is stored is looked
at first, and then written on condition that it is still the same (`if_seq_no`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixstore.errors import UnsupportedOperationError
from mixstore.expressions import matcher
from mixstore.write import REMOVE, Add, Outcome, Write
from mixstore_backends.opensearch.errors import ONLY
from mixstore_backends.opensearch.layout import BESIDE, PENDING, Index
from mixstore_backends.opensearch.points import Stored
from mixstore_backends.opensearch.values import encoded

INTERNAL_RETRIES = 8
"""How often the engine itself repeats an update that met another one."""

SCRIPT = """
for (e in params.set.entrySet()) { ctx._source[e.getKey()] = e.getValue() }
for (k in params.remove) { ctx._source.remove(k) }
if (params.extra.size() > 0 || params.dropped.size() > 0) {
  if (ctx._source._extra == null) { ctx._source._extra = new HashMap() }
  for (e in params.extra.entrySet()) { ctx._source._extra[e.getKey()] = e.getValue() }
  for (k in params.dropped) { ctx._source._extra.remove(k) }
}
for (e in params.add.entrySet()) {
  def k = e.getKey(); def by = e.getValue(); def old = ctx._source[k];
  if (params.real.contains(k)) {
    double sum = 0.0;
    for (part in [old == null ? 0.0 : old, by]) {
      if (part instanceof String) { sum += part == 'inf' ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY }
      else { sum += ((Number) part).doubleValue() }
    }
    if (Double.isNaN(sum)) { throw new IllegalArgumentException('mixstore: field [' + k + '] would be NaN') }
    def told = sum + 0.0;
    if (Double.isInfinite(sum)) { told = sum > 0 ? 'inf' : '-inf' }
    ctx._source[k] = told;
  } else if (by instanceof String) {
    BigDecimal sum = (old == null ? BigDecimal.ZERO : new BigDecimal(old)).add(new BigDecimal(by));
    ctx._source[k] = sum.signum() == 0 ? '0' : sum.stripTrailingZeros().toPlainString();
  } else {
    long x = old == null ? 0L : ((Number) old).longValue(); long y = ((Number) by).longValue(); long sum = x + y;
    if (((x ^ sum) & (y ^ sum)) < 0) {
      throw new IllegalArgumentException('mixstore: field [' + k + '] must fit in 64 bits')
    }
    ctx._source[k] = sum;
  }
}
""".strip()
"""Replaces, removes and adds to attributes. One text for all, so that the engine compiles it once."""


class Task:
    """One write on its way: `lines()` says what to send, given what is stored if `looks` says to look first."""

    __slots__ = ("evicts", "id", "index", "looks", "matches", "write")

    def __init__(self, write: Write, beside: bool = False) -> None:
        if write.side_writes and not beside:
            raise alone(write)
        index: Index = write.bound.native
        self.write = write
        self.index = index
        self.id = index.id_of(write.key)
        whole = write.op in ("create", "upsert")
        self.matches = None if write.condition is None or write.op == "create" else matcher(write.condition)
        self.evicts = None if write.evict is None or not whole else matcher(write.evict)
        self.looks = self.matches is not None or index.guarded

    @property
    def only_new(self) -> bool:
        """Whether there may be no document yet."""
        return self.write.op == "create" or self.write.absent

    def refused(self, stored: Stored | None) -> Outcome | None:
        """The outcome if what is stored does not allow the write."""
        op = self.write.op
        if stored is None or (PENDING in stored.source and op in ("update", "delete")):
            return Outcome("missing") if op in ("update", "delete") else None
        if self.counts_as_absent(stored):
            return None
        if self.only_new:
            return Outcome("exists", stored.source)
        if self.matches is not None and not self.matches(self.write.bound.values_from_row(stored.source)):
            return Outcome("condition", stored.source)
        return None

    def counts_as_absent(self, stored: Stored) -> bool:
        """Whether the document that is in the way is dead, or only the reserved place of one."""
        if PENDING in stored.source:
            return True
        return self.evicts is not None and self.evicts(self.write.bound.values_from_row(stored.source))

    def lines(self, stored: Stored | None, beside: Sequence[Any] = ()) -> bytes:
        """The lines of this write; on the document that was looked at, if there was one.

        beside: what the document brings along (`settling`). One that is deleted stays as a reserved place with it.
        """
        write, there = self.write, stored is not None
        verb: str = write.op if write.op in ("delete", "update") and not (beside and write.op == "delete") else "index"
        if verb == "index" and not there and (self.only_new or self.looks):
            verb = "create"
        head = b'{"%b":{"_id":%b' % (verb.encode(), encoded(self.id))
        if stored is not None:
            place = encoded(stored.place + ONLY)
            head += b',"_index":%b,"if_seq_no":%d,"if_primary_term":%d' % (place, stored.seq_no, stored.primary_term)
        elif verb == "update":
            head += b',"retry_on_conflict":%d' % INTERNAL_RETRIES
        if write.version is not None:
            head += b',"version":%d,"version_type":"external_gte"' % write.version
        if verb == "delete":
            return head + b"}}\n"
        if write.op == "delete":
            body: Any = {PENDING: True}
        else:
            body = partial(self.index, write, beside) if verb == "update" else self.index.document(write.record or {})
        if beside and verb != "update":
            body = {**body, BESIDE: beside}
        return b"%b}}\n%b\n" % (head, encoded(body))


def replaces(write: Write) -> bool:
    """Whether a write puts a whole document there, whatever there is."""
    return (
        write.op == "upsert"
        and write.condition is None
        and write.evict is None
        and write.version is None
        and not write.absent
        and not write.side_writes
    )


def replacing(index: Index, write: Write) -> bytes:
    """The lines of a write that `replaces`."""
    document = encoded(index.document(write.record or {}))
    return b'{"index":{"_id":%b}}\n%b\n' % (encoded(index.id_of(write.key)), document)


def alone(write: Write) -> UnsupportedOperationError:
    """The error of a write that has others beside it."""
    return UnsupportedOperationError(
        f"{write.bound.schema.name}: OpenSearch writes one document at a time, and this has others beside it",
        model=write.bound.model,
        backend=write.bound.backend.backend_name,
        hint="they need a backend that declares ATOMIC_WRITES",
    )


def partial(index: Index, write: Write, beside: Sequence[Any] = ()) -> dict[str, Any]:
    """The body of an update: just what changes. Objects are replaced by a script, since a partial document merges."""
    changes: Mapping[str, Any] = write.changes or {}
    found: dict[str, dict[str, Any]] = {"set": {}, "extra": {}, "add": {}}
    gone: dict[str, list[str]] = {"remove": [], "dropped": []}
    for name, change in changes.items():
        place, value = index.changed(name, change)
        if value is REMOVE:
            gone["dropped" if place else "remove"].append(name)
        elif type(value) is Add:
            found["add"][name] = _summand(index, name, value.by)
        else:
            found["extra" if place else "set"][name] = value
    if beside:
        found["set"][BESIDE] = beside
    simple = not (found["extra"] or found["add"] or any(gone.values()))
    if simple and not any(isinstance(value, dict) for value in found["set"].values()):
        return {"doc": found["set"]}
    real = [name for name in found["add"] if index.is_real(name)]
    script = {"lang": "painless", "source": SCRIPT, "params": {**found, **gone, "real": real}}
    return {"script": script, "_source": True} if found["add"] else {"script": script}


def _summand(index: Index, name: str, by: Any) -> Any:
    encode = index.summand(name)
    try:
        return by if encode is None else encode(by)
    except ValueError as error:
        raise index.refused(name, error) from error
