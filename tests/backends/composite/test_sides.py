"""What a composite is made of."""

from __future__ import annotations

import pytest

from mixstore import ConfigurationError, connect, registry
from mixstore_backends.composite import CompositeBackend
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_backends.memory import InMemoryBackend


def test_a_composite_needs_two_sides_that_can_do_it():
    memory = InMemoryBackend()
    with pytest.raises(ConfigurationError, match="two backends"):
        CompositeBackend(memory, memory)
    with pytest.raises(ConfigurationError, match="PlannedBackend"):
        CompositeBackend(memory, object())

    class Unsure(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~InMemoryBackend.capabilities.ATOMIC_WRITES

    with pytest.raises(ConfigurationError, match="can't be the storage of a composite: it lacks ATOMIC_WRITES"):
        CompositeBackend(Unsure(), memory)
    with pytest.raises(ConfigurationError, match="can't be the search side"):
        CompositeBackend(memory, Unsure())
    with pytest.raises(ConfigurationError, match="'asynch' is no guarantee") as caught:
        CompositeBackend(memory, InMemoryBackend(), guarantee="asynch")
    assert caught.value.hint == "did you mean 'async'?"


def test_a_storage_whose_reads_may_be_older_than_its_writes_is_refused():
    with pytest.raises(
        ConfigurationError, match="dynamodb can't be the storage of a composite: it lacks CONSISTENT_RE"
    ):
        CompositeBackend(DynamoDBBackend("app", consistent=False), InMemoryBackend())
    CompositeBackend(DynamoDBBackend("app"), InMemoryBackend())


def test_a_url_names_two_backends_of_the_config(tmp_path):
    with registry():
        connect(f"sqlite:///{tmp_path}/a.db", name="main")
        connect("memory://", name="words")
        with connect("composite://?storage=main&search=words&guarantee=sync") as backend:
            assert (backend.storage.backend_name, backend.search.backend_name) == ("sqlite", "memory")
        for url, problem in [
            ("composite://?storage=main", "names no search"),
            ("composite://?storage=mian&search=words", "no backend is called 'mian'"),
            ("composite://?storage=main&search=words&garantee=sync", "there is no option 'garantee'"),
            ("composite://here?storage=main&search=words", "no place of its own"),
            ("composite://?storage=main&search=words&guarantee=never", "'never' is no guarantee"),
            ("composite://?storage=main&search=words&follow=stream", "sqlite has no change feed"),
            ("composite://?storage=main&search=words&follow=steam", "did you mean 'stream'"),
        ]:
            with pytest.raises(ConfigurationError, match=problem):
                connect(url)
