"""Backends at the engine that runs, for what makes its own: `MIXSTORE_DYNOXIDE` holds its address."""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from uuid import uuid4

from mixstore_backends.dynamodb import DynamoDBBackend

ADDRESS = "MIXSTORE_DYNOXIDE"


@cache
def client_at(url: str, service: str = "dynamodb") -> Any:
    """A client of tables or of streams, made once, as the backend makes its own: nothing is tried again by botocore."""
    from botocore.config import Config
    from botocore.session import Session

    config = Config(parameter_validation=False, max_pool_connections=32, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return Session().create_client(service, "eu-west-1", endpoint_url=url, config=config, **keys)


class Dynoxide(DynamoDBBackend):
    """An empty table of its own, which goes when it is closed."""

    def __init__(self) -> None:
        super().__init__(f"test-{uuid4().hex}", client=client_at(os.environ[ADDRESS]))
        self.scan_policy = "allow"

    def close(self) -> None:
        client = client_at(os.environ[ADDRESS])
        if self.table_name in client.list_tables()["TableNames"]:
            client.delete_table(TableName=self.table_name)
        super().close()
