"""Clients of DynamoDB: made late, since that takes long and asks for credentials."""

from __future__ import annotations

from typing import Any

from botocore import exceptions as aws
from botocore.config import Config

from mixstore.errors import ConfigurationError
from mixstore_backends.dynamodb.errors import NAME, no_region

CONNECTIONS = 50
CONNECT_SECONDS, READ_SECONDS = 5, 30


def client_of(session: Any, region_name: str | None, endpoint_url: str | None) -> Any:
    """A low-level client that leaves trying again to mixstore, which knows what may be sent twice."""
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        parameter_validation=False,
    )
    try:
        if session is None:
            from botocore.session import Session

            session = Session()
        make = getattr(session, "create_client", None) or session.client  # of botocore, or of boto3
        return make("dynamodb", region_name=region_name, endpoint_url=endpoint_url, config=config)
    except aws.NoRegionError as error:
        raise no_region() from error
    except (aws.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"there is no client for DynamoDB: {error}", backend=NAME) from error
