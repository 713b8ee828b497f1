"""Connections to public addresses alone: a request goes to an address that was judged, and its name is not resolved again.

A name that is resolved for a check and once more for the connection may answer differently the second time. The host stays
in the request's head and in the TLS handshake, so certificates are checked against the name. No proxy is used: it would
resolve the name once more. Redirects are the client's to refuse.
"""

import httpx2

from models.authorization.reach import public_addresses

_TRIES = 3


class Pinned(httpx2.BaseTransport):
    """Sends requests to public addresses; raises PrivateAddress for others. Used by one thread."""

    def __init__(self) -> None:
        self._wire = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first of the host's addresses that takes a connection."""
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = public_addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        refusal: httpx2.TransportError | None = None
        for address in addresses[:_TRIES]:
            try:
                return self._wire.handle_request(_to(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refusal = error
        raise refusal or httpx2.ConnectError("the name has no address", request=request)

    def close(self) -> None:
        """Close its connections."""
        self._wire.close()


def _to(request: httpx2.Request, address: str) -> httpx2.Request:
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
