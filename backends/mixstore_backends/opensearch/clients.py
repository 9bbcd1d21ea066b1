"""The client: how opensearch-py is set up, and where requests meet it. Errors of it leave as mixstore's, chained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth
from opensearchpy import exceptions as driver
from opensearchpy.serializer import JSONSerializer

from mixstore.errors import ConfigurationError, MixstoreError, nearest
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.connections import Connection
from mixstore_backends.opensearch.requests import LAZY, Request
from mixstore_backends.opensearch.values import loads

AGAIN = 2
"""How often a request that did not get through is sent again, to the next host if there are several."""
URL_OPTIONS = ("ca", "knn", "prefix", "refresh", "service", "sigv4", "timeout", "tls")
SERVICES = ("es", "aoss")
TRUTH = {"true": True, "false": False}


class FastJSON(JSONSerializer):
    """Reads JSON by pydantic's parser."""

    def loads(self, s: str) -> Any:
        try:
            return loads(s)
        except ValueError as error:
            raise driver.SerializationError(s, error) from error


def client_for(hosts: Any, **options: Any) -> OpenSearch:
    """A client that never sends a write twice by itself: who asked twice would be told that a key is taken."""
    return OpenSearch(hosts=hosts, max_retries=0, serializer=FastJSON(), connection_class=Connection, **options)


def call(client: Any, request: Request) -> Any:
    """The answer to a request."""
    for attempt in range(AGAIN + 1):
        try:
            return client.transport.perform_request(*_arguments(request), **_options(request))
        except errors.DRIVER as error:
            if attempt == AGAIN or not _unreached(error, request):
                raise told(error, request) from error
    raise AssertionError("unreachable")


async def acall(client: Any, request: Request) -> Any:
    """As `call`, by an `AsyncOpenSearch`."""
    for attempt in range(AGAIN + 1):
        try:
            return await client.transport.perform_request(*_arguments(request), **_options(request))
        except errors.DRIVER as error:
            if attempt == AGAIN or not _unreached(error, request):
                raise told(error, request) from error
    raise AssertionError("unreachable")


def _arguments(request: Request) -> tuple[str, str]:
    return request.method, request.path


def _options(request: Request) -> dict[str, Any]:
    params: dict[str, Any] = dict(request.params)
    if request.absent or request.answers:
        params["ignore"] = request.answers or 404
    return {"params": params, "body": request.body, "headers": request.headers}


def _unreached(error: BaseException, request: Request) -> bool:
    """Whether the engine has certainly not done it, or it makes no difference if it does it twice."""
    if not isinstance(error, driver.ConnectionError) or isinstance(error, (driver.ConnectionTimeout, driver.SSLError)):
        return False
    return not request.writes or errors.never_sent(error)


def told(error: BaseException, request: Request) -> MixstoreError:
    """The error to raise for one of the driver's."""
    return errors.translated(error, request.path, request.writes)


# -- URLs ------------------------------------------------------------------------------------------------------------


def read_url(url: str) -> dict[str, Any]:
    """The arguments of a backend in `opensearch://[user:password@]host:9200?prefix=app-&tls=true`.

    ConfigurationError names the option that is wrong, and never shows the password.
    """
    parts = urlsplit(url)
    shown = f"opensearch://{parts.hostname or ''}"
    if not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ConfigurationError(f"{shown}: a URL is opensearch://host:9200?prefix=app-&tls=true")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in URL_OPTIONS:
            raise ConfigurationError(f"{shown}: there is no option {name!r}", hint=nearest(name, URL_OPTIONS))
    try:
        port = parts.port or 9200
        timeout = float(options.get("timeout", "10"))
    except ValueError as error:
        raise ConfigurationError(f"{shown}: {error}") from None
    signed = "sigv4" in options
    tls = _truth(shown, "tls", {"tls": "true", **options} if signed else options)
    refresh = options.get("refresh", "wait_for").lower()
    client: dict[str, Any] = {"timeout": timeout, "use_ssl": tls}
    if parts.username is not None:
        client["http_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    if signed:
        if parts.username is not None:
            raise ConfigurationError(f"{shown}: a request is signed (sigv4) or has a user and a password, not both")
        client["http_auth"] = _signer(shown, options)
    elif "service" in options:
        raise ConfigurationError(f"{shown}: service is for signed requests", hint="sigv4=eu-west-1&service=es")
    if "ca" in options:
        client["ca_certs"] = options["ca"]
    return {
        "hosts": [{"host": parts.hostname, "port": port}],
        "client": client,
        "prefix": options.get("prefix", ""),
        "refresh": TRUTH.get(refresh, refresh),
        "knn": _truth(shown, "knn", options),
    }


def _signer(shown: str, options: Mapping[str, str]) -> Any:
    """What signs requests for Amazon OpenSearch Service, by the credentials that botocore finds where it looks."""
    region, service = options["sigv4"], options.get("service", "es")
    if not region:
        raise ConfigurationError(f"{shown}: sigv4 is a region, as in sigv4=eu-west-1")
    if service not in SERVICES:
        raise ConfigurationError(f"{shown}: there is no service {service!r}", hint=nearest(service, SERVICES))
    try:
        from botocore.session import Session
    except ModuleNotFoundError as error:
        raise ConfigurationError("signing requests (sigv4) needs botocore: pip install botocore") from error
    credentials = Session().get_credentials()
    if credentials is None:
        hint = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine"
        raise ConfigurationError(f"{shown}: there are no credentials of AWS to sign with (sigv4)", hint=hint)
    return Urllib3AWSV4SignerAuth(credentials, region, service)


def _truth(shown: str, name: str, options: Mapping[str, str]) -> bool:
    value = options.get(name, "false").lower()
    if value not in TRUTH:
        raise ConfigurationError(f"{shown}: {name} is true or false, not {value!r}")
    return TRUTH[value]


def policy(refresh: Any) -> str:
    """A refresh policy as the engine takes it. ConfigurationError for what is none."""
    known: Sequence[tuple[Any, str]] = (("wait_for", "wait_for"), (LAZY, LAZY), (True, "true"), (False, "false"))
    for value, told in known:
        if type(refresh) is type(value) and refresh == value:
            return told
    raise ConfigurationError(f'refresh is "wait_for", "lazy", True or False, not {refresh!r}')
