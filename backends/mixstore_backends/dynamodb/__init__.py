"""The DynamoDB backend: single-table or a table for each model, on a low-level client of botocore or boto3."""

from __future__ import annotations

from mixstore.errors import ConfigurationError

try:
    import botocore  # noqa: F401
except ImportError as missing:
    raise ConfigurationError("the DynamoDB backend needs boto3: pip install 'mixstore[dynamodb]'") from missing

from mixstore_backends.dynamodb.adapter import DynamoDBAdapter
from mixstore_backends.dynamodb.backend import DynamoDBBackend
from mixstore_backends.dynamodb.options import Provisioned, TableOptions

__all__ = ["DynamoDBAdapter", "DynamoDBBackend", "Provisioned", "TableOptions"]
