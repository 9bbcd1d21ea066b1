"""Transactions: a write buffer.

The chain runs at the call, one atomic execute at the end, instances change after it.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from mixstore.errors import TransactionError

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixstore.backend import Backend
    from mixstore.bound import Bound
    from mixstore.prepared import PreparedWrite
    from mixstore.write import KeyValue

_open: ContextVar[tuple[Transaction, ...]] = ContextVar("mixstore_transactions", default=())


open_transactions = _open.get
"""Those open in this task or thread, on any backend; usually none."""


def open_on(backend: Backend) -> Transaction | None:
    """The transaction open on a backend in this task or thread.

    TransactionError in a task or thread that inherited somebody else's.
    """
    for transaction in _open.get():
        if transaction.backend is backend:
            transaction.check_owner()
            return transaction
    return None


def _here() -> tuple[int, object]:
    """This thread and, under asyncio, this task."""
    asyncio = sys.modules.get("asyncio")
    task = None
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
    return threading.get_ident(), task


class Transaction:
    """Buffered writes of several models on one backend, committed all or nothing at the end of the block.

    `with backend.transaction(): ...` or `async with ...`. An exception in the block drops the buffer. One write per
    record; reading a record with a buffered write, and use from another task or thread, is a TransactionError.
    `delete()` returns True since only the commit will know. Errors such as DuplicateKeyError come at the end of the
    block and name the write.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._writes: dict[tuple[Any, ...], PreparedWrite] = {}
        self._owner: tuple[int, object] | None = None
        self._token: Token[tuple[Transaction, ...]] | None = None

    def check_owner(self) -> None:
        """TransactionError unless this is the task and thread that opened it."""
        if self._owner != _here():
            raise TransactionError(
                "this transaction belongs to another task or thread",
                backend=self.backend.backend_name,
                hint="open one in each; a buffer can't be shared",
            )

    def add(self, prepared: PreparedWrite) -> None:
        """Buffer a write. TransactionError if the record has one already."""
        write = prepared.write
        place = (write.bound.schema.entity, *write.key)
        if place in self._writes:
            raise TransactionError(
                f"{write.bound.schema.name} has a buffered write already: one write per record in a transaction",
                model=write.bound.model,
                key=write.bound.schema.key_as_told(write.key),
                backend=self.backend.backend_name,
            )
        self._writes[place] = prepared

    def refuse_buffered(self, bound: Bound, key: KeyValue) -> None:
        """TransactionError if the record to read has a buffered write."""
        if (bound.schema.entity, *key) in self._writes:
            raise TransactionError(
                f"{bound.schema.name} has a buffered write; what it will be is known after the commit",
                model=bound.model,
                key=bound.schema.key_as_told(key),
                backend=self.backend.backend_name,
            )

    def _begin(self) -> Self:
        if self._owner is not None:
            raise TransactionError("a transaction is used once", hint="call backend.transaction() again")
        if any(one.backend is self.backend for one in _open.get()):
            raise TransactionError(
                "a transaction is open on this backend already; they don't nest",
                backend=self.backend.backend_name,
            )
        self._owner = _here()
        self._token = _open.set((*_open.get(), self))
        return self

    def _end(self) -> list[PreparedWrite]:
        if self._token is not None:
            _open.reset(self._token)
            self._token = None
        writes = list(self._writes.values())
        self._writes = {}
        return writes

    def __enter__(self) -> Self:
        return self._begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        writes = self._end()
        if kind is None and writes:
            from mixstore.lifecycle import commit

            writes[0].bound.run("transaction", commit(writes))

    async def __aenter__(self) -> Self:
        return self._begin()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        writes = self._end()
        if kind is None and writes:
            from mixstore.lifecycle import commit

            await writes[0].bound.arun("transaction", commit(writes))
