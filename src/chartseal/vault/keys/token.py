"""A vault's keys in a token that speaks PKCS#11: a hardware security module, a smart card, SoftHSM.

Each is a private object of the token, a generic secret labelled `chartseal:NAME`. It can be read by who knows the PIN,
since HPKE is not among the mechanisms of PKCS#11: the token keeps secrets apart from disks and backups, and its PIN's
counter guards them; it does not keep them from the vault's own process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chartseal.errors import MissingExtraError, VaultKeyError, WrongPassphraseError
from chartseal.vault.keys.secret import (
    damaged,
    exists,
    is_name,
    missing,
    new_secret,
    require_name,
    require_size,
    unavailable,
)

_LABEL = "chartseal:"


class TokenKeys:
    """Secrets in one token, over one session that lives as long as this object."""

    def __init__(self, module: str, token: str, pin: str) -> None:
        """Open a session: `module` is the path of the token's library, `token` the token's label.

        Raises:
            WrongPassphraseError: the PIN is wrong; a token counts and locks itself.
            VaultKeyError: `keys_unavailable`: no such library or token, a locked PIN, a token that fails.
            MissingExtraError: python-pkcs11 is not installed.
        """
        self._pkcs11 = _library()
        self._lock = threading.Lock()
        with self._using():
            found = self._pkcs11.lib(module).get_token(token_label=token)
            self._session = found.open(rw=True, user_pin=pin)

    def names(self) -> Sequence[str]:
        """The names that are kept, sorted."""
        with self._using():
            labels = [str(each.label) for each in self._session.get_objects(self._template())]
        names = (each.removeprefix(_LABEL) for each in labels if each.startswith(_LABEL))
        return sorted({name for name in names if is_name(name)})

    def get(self, name: str) -> bytes:
        """A secret, 32 bytes."""
        with self._using():
            found = self._found(name)
            if not found:
                raise missing(name)
            if len(found) > 1:
                raise damaged(f"the token has {name} more than once")
            return require_size(name, found[0][self._pkcs11.Attribute.VALUE])

    def make(self, name: str) -> bytes:
        """A new secret of the system's randomness, an object of the token before it is given."""
        with self._using():
            if self._found(name):
                raise exists(name)
            attribute, secret = self._pkcs11.Attribute, new_secret()
            self._session.create_object(
                {
                    **self._template(name),
                    attribute.KEY_TYPE: self._pkcs11.KeyType.GENERIC_SECRET,
                    attribute.TOKEN: True,
                    attribute.PRIVATE: True,
                    attribute.SENSITIVE: False,
                    attribute.EXTRACTABLE: True,
                    attribute.VALUE: secret,
                }
            )
        return secret

    def destroy(self, name: str) -> None:
        """Destroy the object."""
        with self._using():
            for each in self._found(name):
                each.destroy()

    def close(self) -> None:
        """End the session."""
        with self._using():
            self._session.close()

    def _found(self, name: str) -> list[Any]:
        return list(self._session.get_objects(self._template(require_name(name))))

    def _template(self, name: str | None = None) -> dict[Any, Any]:
        template = {self._pkcs11.Attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY}
        return template if name is None else {**template, self._pkcs11.Attribute.LABEL: _LABEL + name}

    @contextmanager
    def _using(self) -> Iterator[None]:
        """One call of the session at a time, and its faults told as ours, by their kind."""
        faults = self._pkcs11.exceptions
        with self._lock:
            try:
                yield
            except VaultKeyError:
                raise
            except (faults.PinIncorrect, faults.PinInvalid, faults.PinLenRange):
                raise WrongPassphraseError("the PIN does not open the token") from None
            except (faults.PKCS11Error, OSError, RuntimeError) as exc:  # a library that is none raises RuntimeError
                raise unavailable(f"the token says {type(exc).__name__}") from None


def _library() -> Any:
    try:
        import pkcs11
        import pkcs11.exceptions
    except ImportError:
        raise MissingExtraError("keys in a PKCS#11 token need the extra `pkcs11`") from None
    return pkcs11
