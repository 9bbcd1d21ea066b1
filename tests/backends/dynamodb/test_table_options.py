"""Options of tables: given at creation, changed on a table that is there, left alone where nothing is said."""

from __future__ import annotations

import logging
import os
from uuid import uuid4

import pytest

from mixstore import GSI, ConfigurationError, Field, Model
from mixstore_backends.dynamodb import DynamoDBBackend, Provisioned, TableOptions
from tests.backends.dynamodb.models import Task, User


@pytest.fixture
def with_options(dynamodb_client):
    """`with_options(billing=...)`: a backend on one table, with these options."""
    if os.environ.get("MIXSTORE_TEST_DYNAMODB"):
        pytest.skip("dynoxide has no backups, and tells no capacity of indexes")
    name = f"test-{uuid4().hex}"
    yield lambda **options: DynamoDBBackend(name, client=dynamodb_client, table=TableOptions(**options))
    dynamodb_client.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb_client.delete_table(TableName=name)


def table_of(backend):
    return backend.transport.client.describe_table(TableName=backend.table_name)["Table"]


def recovery_of(backend):
    told = backend.transport.client.describe_continuous_backups(TableName=backend.table_name)
    return told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]


def tags_of(backend):
    arn = table_of(backend)["TableArn"]
    told = backend.transport.client.list_tags_of_resource(ResourceArn=arn)
    return {one["Key"]: one["Value"] for one in told["Tags"]}


EVERYTHING = {
    "billing": Provisioned(3, 2),
    "stream": "NEW_AND_OLD_IMAGES",
    "point_in_time_recovery": True,
    "deletion_protection": True,
    "tags": {"team": "shop", "cost": "7"},
}


def check_everything(backend):
    table = table_of(backend)
    for one in (table, *table["GlobalSecondaryIndexes"]):
        units = one["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (3, 2)
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["DeletionProtectionEnabled"] is True
    assert recovery_of(backend) == "ENABLED"
    assert tags_of(backend).items() >= EVERYTHING["tags"].items()


def test_a_table_is_made_with_its_options(with_options):
    backend = with_options(**EVERYTHING)
    backend.initialize(Task)
    check_everything(backend)
    assert backend.drift(Task) == []


def test_a_table_that_is_there_is_changed(with_options, caplog):
    with_options().initialize(Task)
    backend = with_options(**EVERYTHING)
    told = {one.what.split(" of ")[0]: (one.declared, one.real) for one in backend.drift(Task)}
    assert told == {
        "billing": ("Provisioned(read=3, write=2)", "PAY_PER_REQUEST"),
        "stream": ("NEW_AND_OLD_IMAGES", "OFF"),
        "point-in-time recovery": ("on", "off"),
        "deletion protection": ("on", "off"),
        "tags": ("team=shop, cost=7", "-"),
    }
    with caplog.at_level(logging.INFO, "mixstore"):
        backend.initialize(Task)
    check_everything(backend)
    assert backend.drift(Task) == []
    assert "stream from OFF to NEW_AND_OLD_IMAGES" in caplog.text


def test_what_nothing_is_said_of_stays_as_it_is(with_options):
    with_options(**EVERYTHING).initialize(Task)
    with_options().initialize(Task)
    check_everything(with_options())
    assert with_options().drift(Task) == []


def test_options_are_switched_off_again_and_other_tags_stay(with_options):
    with_options(**EVERYTHING).initialize(Task)
    off = with_options(
        billing="PAY_PER_REQUEST",
        stream="OFF",
        point_in_time_recovery=False,
        deletion_protection=False,
        tags={"team": "billing"},
    )
    off.initialize(Task)
    table = table_of(off)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert not table.get("StreamSpecification", {}).get("StreamEnabled")
    assert table["DeletionProtectionEnabled"] is False
    assert recovery_of(off) == "DISABLED"
    assert tags_of(off) == {"team": "billing", "cost": "7"}
    assert off.drift(Task) == []


def test_a_stream_that_programs_read_is_not_replaced_silently(with_options):
    with_options(stream="KEYS_ONLY").initialize(User)
    other = with_options(stream="NEW_IMAGE")
    with pytest.raises(ConfigurationError, match="stream is 'KEYS_ONLY', not 'NEW_IMAGE'"):
        other.initialize(User)
    (told,) = other.drift(User)
    assert 'stream="OFF"' in told.plan


def test_an_index_that_comes_later_has_the_capacity_of_the_table(with_options):
    class Later(Model):
        class Meta:
            entity = "User"
            indexes = [GSI("by_name", partition="{name}")]

        id: str = Field(primary_key=True)
        name: str = ""

    with_options(billing=Provisioned(4, 5)).initialize(User)
    with_options().initialize(Later)
    (index,) = table_of(with_options())["GlobalSecondaryIndexes"]
    units = index["ProvisionedThroughput"]
    assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (4, 5)


def test_a_table_whose_backups_are_not_ready_yet_is_waited_for(answering):
    from tests.backends.dynamodb.answers import failed

    active = {"Table": {"TableStatus": "ACTIVE", "KeySchema": [], "AttributeDefinitions": []}}
    off = {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}}
    late = failed("ContinuousBackupsUnavailableException")
    backend, client = answering(failed("ResourceNotFoundException"), {}, active, off, late, late, {})
    backend.options = TableOptions(point_in_time_recovery=True)
    backend.initialize(User)
    assert [name for name, _ in client.asked][-3:] == ["update_continuous_backups"] * 3
    assert client.pauses == [1.0, 1.0]


# -- what can't be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"billing": "PAY_PER_REQEST"}, "(?s)billing is one of .*did you mean 'PAY_PER_REQUEST'"),
        ({"stream": "new_image"}, "(?s)stream is one of .*did you mean 'NEW_IMAGE'"),
        ({"point_in_time_recovery": "yes"}, "point_in_time_recovery is one of True, False"),
        ({"deletion_protection": 1}, "deletion_protection is one of True, False"),
        ({"tags": {"a": 1}}, "tags are texts by text"),
        ({"tags": {"aws:x": "1"}}, "(?s)can't be a tag.*not beginning with aws:"),
        ({"tags": {str(n): "" for n in range(51)}}, "51 tags, and 50 is the most"),
    ],
)
def test_wrong_options_are_refused(options, told):
    with pytest.raises(ConfigurationError, match=told):
        TableOptions(**options)


def test_capacity_is_a_number_of_units():
    for read, write in ((0, 1), (1, "2"), (True, 1)):
        with pytest.raises(ConfigurationError, match="is a number of units from 1 on"):
            Provisioned(read, write)
    with pytest.raises(ConfigurationError, match=r"table takes TableOptions\(...\), not a dict"):
        DynamoDBBackend("app", table={"stream": "OFF"})


def test_a_url_tells_options():
    url = "dynamodb://app?region=eu-west-1&read=5&write=2&stream=NEW_IMAGE&point_in_time_recovery=true"
    assert DynamoDBBackend.from_url(url).options == TableOptions(
        billing=Provisioned(5, 2), stream="NEW_IMAGE", point_in_time_recovery=True
    )
    assert DynamoDBBackend.from_url("dynamodb://app?region=x").options == TableOptions()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("steam=OFF", "did you mean 'stream'"),
        ("stream=ON", "stream is one of"),
        ("deletion_protection=maybe", "deletion_protection is true or false"),
        ("read=5", "read=UNITS&write=UNITS"),
        ("read=5&write=x", "read=UNITS&write=UNITS"),
        ("read=5&write=5&billing=PAY_PER_REQUEST", "without billing"),
        ("read=0&write=1", "from 1 on"),
    ],
)
def test_a_url_with_wrong_options_is_refused(query, told):
    with pytest.raises(ConfigurationError, match=told):
        DynamoDBBackend.from_url(f"dynamodb://app?{query}")
