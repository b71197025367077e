"""Where a vault's secrets are: a file under a passphrase, the system's keyring, the environment, a PKCS#11 token.

In: a place, and who is asked for its passphrase. Out: named secrets of 32 bytes.

    keys = open_keys("vault-keys.json", lambda: getpass())
    keys.make("epoch-1")
"""

from chartseal.vault.keys.environment import EnvironmentKeys
from chartseal.vault.keys.file import KeystoreFile
from chartseal.vault.keys.places import open_keys
from chartseal.vault.keys.provider import ACCOUNTING, INDEX, PSEUDONYMS, SECRET_SIZE, KeyProvider, epoch_name
from chartseal.vault.keys.system import KeyringKeys
from chartseal.vault.keys.token import TokenKeys

__all__ = [
    "ACCOUNTING",
    "INDEX",
    "PSEUDONYMS",
    "SECRET_SIZE",
    "EnvironmentKeys",
    "KeyProvider",
    "KeyringKeys",
    "KeystoreFile",
    "TokenKeys",
    "epoch_name",
    "open_keys",
]
