"""Who may push: bearer secrets of the settings, which open nothing else and are nothing else's."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers

from chartseal.errors import NodeSettingsError, ServiceError
from chartseal.node.settings import Settings

SHORTEST_SECRET = 32
"""Characters; `node init` makes 43 at random."""
_LONGEST_TOKEN = 4_096


class Pushers:
    """Names by secrets. Each comparison takes the same time, whatever was sent."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Take secrets by name.

        Raises:
            NodeSettingsError: `secret_malformed`: one is short, or two are the same.
        """
        for name, secret in secrets.items():
            if len(secret) < SHORTEST_SECRET:
                detail = f"a secret to push with has {SHORTEST_SECRET} characters or more"
                raise NodeSettingsError(detail, "secret_malformed", name)
        if len(set(secrets.values())) != len(secrets):
            raise NodeSettingsError("two pushers have the same secret", "secret_malformed", "ingest.pushers")
        self._digests = {name: _digest(secret) for name, secret in secrets.items()}

    @classmethod
    def of(cls, settings: Settings) -> Pushers:
        """Those of the settings.

        Raises:
            NodeSettingsError: as `Settings.secret`; two have one name.
        """
        named = [each.name for each in settings.ingest.pushers]
        if len(set(named)) != len(named):
            raise NodeSettingsError("two pushers have the same name", "settings_invalid", "ingest.pushers")
        pushers = settings.ingest.pushers
        return cls({each.name: settings.secret(each.secret, f"ingest.pushers.{each.name}") for each in pushers})

    def find(self, headers: Headers) -> str | None:
        """Whose secret a request bears; None where it bears none of these."""
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
            return None
        digest, found = _digest(token), None
        for name, own in self._digests.items():
            if hmac.compare_digest(own, digest):  # all are compared: which one fits takes no other time
                found = name
        return found

    def identify(self, headers: Headers) -> str | None:
        """The client's name for its rate."""
        found = self.find(headers)
        return None if found is None else f"push:{found}"

    def require(self, headers: Headers) -> str:
        """Who pushes.

        Raises:
            ServiceError: `push_off`, `credential_missing`, `credential_refused`.
        """
        if not self._digests:
            raise ServiceError("nobody may push to this node", "push_off")
        if "authorization" not in headers:
            raise ServiceError("pushing needs a credential", "credential_missing")
        found = self.find(headers)
        if found is None:
            raise ServiceError("the credential is none to push with", "credential_refused")
        return found


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
