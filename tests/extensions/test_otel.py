"""Spans of OpenTelemetry: one for each operation, where they are switched on."""

from __future__ import annotations

import sys

import pytest

from mixstore import DuplicateKeyError, Field, Model, connect
from mixstore import registry as fresh_registry

sdk = pytest.importorskip("opentelemetry.sdk.trace")
trace = pytest.importorskip("opentelemetry.trace")


class Guest(Model):
    id: str = Field(primary_key=True)


@pytest.fixture(scope="module")
def exporter():
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def observed(exporter, monkeypatch):
    exporter.clear()
    monkeypatch.setenv("MIXSTORE_OTEL", "1")
    with fresh_registry() as fresh:
        connect("memory://", name="default")
        yield fresh


def test_each_operation_is_a_span_with_its_model_backend_and_rows(observed, exporter):
    Guest.create(id="a")
    Guest.all()
    first, second = exporter.get_finished_spans()
    assert (first.name, second.name) == ("create Guest", "all Guest")
    assert dict(second.attributes) == {
        "db.system.name": "memory",
        "db.operation.name": "all",
        "db.collection.name": "Guest",
        "db.response.returned_rows": 1,
    }
    assert first.start_time <= first.end_time


async def test_an_operation_is_a_child_of_the_current_span(observed, exporter):
    with trace.get_tracer("test").start_as_current_span("request") as request:
        await Guest.acreate(id="a")
    (created,) = [span for span in exporter.get_finished_spans() if span.name == "create Guest"]
    assert created.parent.span_id == request.get_span_context().span_id


def test_a_failed_operation_tells_the_kind_of_error_and_no_value(observed, exporter):
    Guest.create(id="secret")
    with pytest.raises(DuplicateKeyError):
        Guest.create(id="secret")
    span = exporter.get_finished_spans()[-1]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == "DuplicateKeyError"
    assert "secret" not in span.to_json()


def test_it_is_listed_as_a_plugin(observed):
    (info,) = [info for info in observed.plugins if info.name == "otel"]
    assert (info.state, info.hooks) == ("active", ("mixstore_observe",))


def test_it_can_be_blocked_like_any_plugin(monkeypatch):
    monkeypatch.setenv("MIXSTORE_OTEL", "1")
    monkeypatch.setenv("MIXSTORE_PLUGINS_BLOCK", "otel")
    with fresh_registry() as fresh:
        assert [info.state for info in fresh.plugins if info.name == "otel"] == ["blocked"]
        assert fresh.observers == ()


def test_without_the_switch_there_is_no_observer(monkeypatch):
    monkeypatch.delenv("MIXSTORE_OTEL", raising=False)
    with fresh_registry() as fresh:
        fresh.load_plugins()
        assert fresh.observers == ()


def test_without_the_package_a_line_says_what_to_install(monkeypatch, caplog):
    monkeypatch.setenv("MIXSTORE_OTEL", "1")
    monkeypatch.delitem(sys.modules, "mixstore_extensions.otel", raising=False)
    monkeypatch.delattr("mixstore_extensions.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # as if it were not installed
    with fresh_registry() as fresh:
        fresh.load_plugins()
        assert all(info.state == "active" for info in fresh.plugins)
    assert "pip install 'mixstore[otel]'" in caplog.text
