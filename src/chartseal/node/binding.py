"""Bind answers to their requests: an answer repeats its request's nonce and names the account that answers.

Format specification, section "Answers".
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chartseal.attestation import Address, checksum_address

NONCE_HEADER, CUSTODIAN_HEADER = "Chartseal-Nonce", "Chartseal-Custodian"

_NONCE = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


class BoundAnswers:
    """ASGI middleware for a node's FHIR routes.

    A nonce that is malformed, or stands twice, is not repeated: nothing of a request but 32 bytes of hex comes back.
    """

    def __init__(self, app: ASGIApp, custodian: Address) -> None:
        """Wrap an app; `custodian` is the account of 20 bytes that this node is accredited as."""
        self._app = app
        self._custodian = checksum_address(custodian)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        given = Headers(scope=scope).getlist(NONCE_HEADER) if scope["type"] == "http" else []
        if len(given) != 1 or not _NONCE.fullmatch(given[0]):
            await self._app(scope, receive, send)
            return

        async def bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[NONCE_HEADER], headers[CUSTODIAN_HEADER] = given[0], self._custodian
            await send(message)

        await self._app(scope, receive, bound)
