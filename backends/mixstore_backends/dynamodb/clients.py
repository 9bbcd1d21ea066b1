"""Clients of DynamoDB: made late, since that takes long and asks for credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import botocore
from botocore import exceptions as aws
from botocore.config import Config

from mixstore.errors import ConfigurationError
from mixstore_backends.dynamodb.errors import NAME, no_region

CONNECTIONS = 50
CONNECT_SECONDS, READ_SECONDS = 5, 30


def _settings() -> dict[str, Any]:
    """Of a client that leaves trying again to mixstore, which knows what may be sent twice, and checks no parameters.

    botocore would look at no checksum either, as it does that to try again; `bodies` does.
    """
    return {
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "max_pool_connections": CONNECTIONS,
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "parameter_validation": False,
        # botocore puts its own together from forty pieces, twice a request
        "user_agent": f"mixstore Botocore/{botocore.__version__}",
    }


def client_of(session: Any, region_name: str | None, endpoint_url: str | None, service: str = "dynamodb") -> Any:
    """A low-level client that blocks, of DynamoDB or of its streams."""
    with told_plainly():
        if session is None:
            from botocore.session import Session

            session = Session()
        make = getattr(session, "create_client", None) or session.client  # of botocore, or of boto3
        return make(service, region_name=region_name, endpoint_url=endpoint_url, config=Config(**_settings()))


def async_client_of(
    session: Any, region_name: str | None, endpoint_url: str | None
) -> AbstractAsyncContextManager[Any]:
    """A low-level client of aiobotocore, once it is entered. Without a session it gets one of its own."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import AioSession

    config = AioConfig(**_settings())
    made = AioSession() if session is None else session
    return made.create_client(  # type: ignore[no-any-return]
        "dynamodb", region_name=region_name, endpoint_url=endpoint_url, config=config
    )


@contextmanager
def told_plainly() -> Iterator[None]:
    """ConfigurationError for what keeps a client from being made."""
    try:
        yield
    except aws.NoRegionError as error:
        raise no_region() from error
    except (aws.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"there is no client for DynamoDB: {error}", backend=NAME) from error
