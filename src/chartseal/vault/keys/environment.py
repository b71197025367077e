"""A vault's keys in the environment, for containers: whoever starts them sets the variables."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence

from chartseal.errors import VaultKeyError
from chartseal.vault.keys.secret import damaged, exists, is_name, missing, require_name, require_size

_PREFIX = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_HEX = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class EnvironmentKeys:
    """`PREFIX_EPOCH_1`, `PREFIX_INDEX`, …: 64 hex digits, or base64 of 32 bytes. They can only be read."""

    def __init__(self, prefix: str, environment: Mapping[str, str] = os.environ) -> None:
        """Take the variables' prefix.

        Raises:
            VaultKeyError: `keys_url`; the prefix is none.
        """
        if not _PREFIX.fullmatch(prefix):
            raise VaultKeyError("variables are named by capital letters, digits and _", "keys_url")
        self._prefix = f"{prefix}_"
        self._environment = environment

    def names(self) -> Sequence[str]:
        """The names whose variables are set, sorted."""
        found = (each.removeprefix(self._prefix) for each in self._environment if each.startswith(self._prefix))
        return sorted(name for name in (each.lower().replace("_", "-") for each in found) if is_name(name))

    def get(self, name: str) -> bytes:
        """A secret, 32 bytes."""
        text = self._environment.get(self.variable(name))
        if text is None:
            raise missing(name)
        try:
            text = text.strip()
            is_hex = _HEX.fullmatch(text)
            secret = bytes.fromhex(text[-64:]) if is_hex else base64.b64decode(text, validate=True)
        except ValueError:
            raise damaged(f"{name} is neither hex nor base64") from None
        return require_size(name, secret)

    def make(self, name: str) -> bytes:
        """Refused: who starts the container makes the secret and sets its variable."""
        if self.variable(name) in self._environment:
            raise exists(name)
        raise VaultKeyError(f"the environment takes no keys: set {self.variable(name)} first", "keys_read_only")

    def destroy(self, name: str) -> None:
        """Refused while the variable is set: who set it destroys the secret where it is kept."""
        if self.variable(name) in self._environment:
            raise VaultKeyError(f"the environment lets go of no keys: unset {self.variable(name)}", "keys_read_only")

    def variable(self, name: str) -> str:
        """The variable of a secret."""
        return self._prefix + require_name(name).upper().replace("-", "_")
