"""The usual requests of a client that mixstore made, signed and sent without the layers that are the same each time.

botocore resolves endpoint and credentials, keeps the connections and translates their errors. Its event `before-call`
takes an answer in place of its own signing (which knows every protocol and reads each header three times), retries
(which mixstore does) and parsing. Whatever is not the plain case is left to it.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.parsers import create_parser

from mixstore_backends.dynamodb.connections import Connections

ALGORITHM = "AWS4-HMAC-SHA256"
SIGNED = ("content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target")
"""The headers that are signed, in the order of the alphabet."""


class Signer:
    """Signature Version 4 for a POST to the root of a service, with one credential scope a day.

    Source: the AWS General Reference, "Create a signed AWS API request".
    """

    def __init__(self, region: str, service: str) -> None:
        self.region = region
        self.service = service
        self._known: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def sign(self, headers: Any, host: str, body: bytes, keys: Any, now: datetime) -> None:
        """Add date, token and authorization to the headers. keys: access_key, secret_key, token."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        headers["X-Amz-Date"] = moment
        told = {
            "content-type": headers["Content-Type"],
            "host": host,
            "x-amz-date": moment,
            "x-amz-target": headers["X-Amz-Target"],
        }
        if keys.token:
            headers["X-Amz-Security-Token"] = told["x-amz-security-token"] = keys.token
        names = [name for name in SIGNED if name in told]
        lines = "".join([f"{name}:{told[name]}\n" for name in names])
        signed = ";".join(names)
        canonical = f"POST\n/\n\n{lines}\n{signed}\n{sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(keys.secret_key, moment[:8]), text.encode(), "sha256").hex()
        credential = f"{ALGORITHM} Credential={keys.access_key}/{scope}"
        headers["Authorization"] = f"{credential}, SignedHeaders={signed}, Signature={signature}"

    def _key(self, secret: str, day: str) -> bytes:
        """The key of a day, made of the secret once."""
        known, key = self._known
        if known != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._known = (secret, day), key
        return key


class Sender:
    """Signs and sends for one client of botocore, over its connections."""

    def __init__(self, client: Any) -> None:
        self._events = client.meta.events
        # no public name of botocore's: where it is not, everything is left to botocore
        session = getattr(getattr(client, "_endpoint", None), "http_session", None)
        self._connections = None if session is None else Connections(session)
        self._signer = Signer(client.meta.region_name, "dynamodb")
        self._parser = create_parser("json")
        self._plain = client.meta.config.signature_version == "v4"

    def send(self, exchange: Any, params: Any, model: Any, request_signer: Any, context: Any) -> Any:
        """(the answer of HTTP, its content), or None if botocore has to do it."""
        url: str = params["url"]
        scheme, _, host = url.partition("://")
        if (
            self._connections is None
            or not self._plain
            or context.get("auth_type") not in (None, "v4")
            or "signing" in context
        ):
            return None
        if host.count("/") != 1 or not host.endswith("/") or "?" in host or "@" in host:
            return None
        keys = request_signer.get_auth_instance("dynamodb", self._signer.region, "v4").credentials
        if keys is None:
            return None
        host = _without_default_port(scheme, host[:-1])
        body = exchange.body
        headers = HeadersDict(params["headers"])
        self._signer.sign(headers, host, body, keys, datetime.now(timezone.utc))
        headers["Content-Length"] = str(len(body))
        prepared = AWSPreparedRequest("POST", url, headers, body, False)
        found = self._events.emit(f"before-send.dynamodb.{model.name}", request=prepared)
        http = next((answer for _, answer in found if answer is not None), None)
        if http is None:
            http = self._connections.send(prepared, host)
        response = {"headers": http.headers, "status_code": http.status_code, "body": http.content, "context": {}}
        exchange.take(response)
        return http, {} if http.status_code == 200 else self._refusal(response, model)

    def _refusal(self, response: dict[str, Any], model: Any) -> Any:
        """What an answer says that is an error, with what its kind of error tells besides."""
        told = self._parser.parse(response, model.output_shape)
        shape = model.service_model.shape_for_error_code(told.get("Error", {}).get("Code"))
        if shape is not None:
            told.update(self._parser.parse(response, shape))
        return told


def _without_default_port(scheme: str, host: str) -> str:
    """The host as clients tell it, which is what has to be signed."""
    port = ":443" if scheme == "https" else ":80"
    return host.removesuffix(port)
