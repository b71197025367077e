"""What all places of keys have in common: names, sizes, and their errors."""

from __future__ import annotations

import errno
import re
import secrets

from chartseal.errors import VaultKeyError
from chartseal.vault.keys.provider import SECRET_SIZE

_NAME = re.compile(r"[a-z]{1,16}(-[1-9][0-9]{0,8})?")


def new_secret() -> bytes:
    """32 bytes of the operating system's randomness."""
    return secrets.token_bytes(SECRET_SIZE)


def is_name(text: str) -> bool:
    """Whether a secret may be called so: a word, or a word and a number."""
    return _NAME.fullmatch(text) is not None


def require_name(name: str) -> str:
    """The name.

    Raises:
        VaultKeyError: `key_name`.
    """
    if not is_name(name):
        raise VaultKeyError("a key's name is a word, or a word and a number: epoch-1", "key_name")
    return name


def require_size(name: str, secret: object) -> bytes:
    """The secret, where it is 32 bytes.

    Raises:
        VaultKeyError: `keys_damaged`.
    """
    if not isinstance(secret, bytes) or len(secret) != SECRET_SIZE:
        raise damaged(f"{name} has not {SECRET_SIZE} bytes")
    return secret


def missing(name: str) -> VaultKeyError:
    """The error of a secret that is not there."""
    return VaultKeyError(f"there is no key {require_name(name)}", "key_missing")


def exists(name: str) -> VaultKeyError:
    """The error of a secret that is there already."""
    return VaultKeyError(f"the key {name} exists and is kept", "key_exists")


def damaged(detail: str) -> VaultKeyError:
    """The error of a place whose content is not what was kept."""
    return VaultKeyError(f"the vault's keys are damaged: {detail}", "keys_damaged")


def unavailable(detail: str, cause: BaseException | None = None) -> VaultKeyError:
    """The error of a place that cannot be used: `disk_full` where that is the cause, else `keys_unavailable`."""
    is_full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return VaultKeyError(f"the vault's keys cannot be used: {detail}", "disk_full" if is_full else "keys_unavailable")
