"""Uploads on disk, encrypted to a key that one of the vault's secrets opens, until they are sealed.

Files are age streams (age-encryption.org/v1). What an upload holds is never written in the clear, nor all of it held in
memory; a file has its name once it is whole and on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import pyrage
from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from chartseal._whole_files import sync
from chartseal.errors import IngestError, SealingError, VaultError
from chartseal.vault.backup import new_identity
from chartseal.vault.exporting import PRIVATE, write_bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEY = "spool.key"
"""Name of the file with the spool's key: nonce, AES-256-GCM of an identity of age, tag."""
_CONTEXT = b"chartseal/1/node-spool"
_NONCE_SIZE, _TAG_SIZE = 12, 16
_UPLOAD, _JOB, _PART = ".age", ".json", ".part"
_LOCK = ".lock"
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OURS = re.compile(r"([0-9a-f]{32})\.(?:age|json|age\.part)|\.[0-9a-f]{16}\.(?:part|check)", re.ASCII)
"""Names of files that a spool makes; nothing else in the folder is touched."""
_LARGEST_JOB = 1 << 20
_LARGEST_KEY = 4_096


class Spool:
    """A folder of uploads and of what is known of each. One process has it at a time."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Open the folder, made where it is missing with a key of its own, which the secret (32 bytes) opens.

        Raises:
            IngestError: `spool_in_use`, `spool_unavailable`, `spool_key`: another secret's, or damaged.
        """
        self._folder = folder
        with _telling():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(folder / _LOCK)
        try:
            self._key = _key_of(folder / KEY, secret)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have the folder."""
        os.close(self._lock)

    def check(self) -> None:
        """See that something can be written.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`.
        """
        self._write(self._folder / f".{secrets.token_hex(8)}.check", b"x").unlink()

    def names(self) -> list[str]:
        """Uploads that something is known of."""
        with _telling():
            return sorted(each.stem for each in self._folder.glob(f"*{_JOB}") if _NAME.fullmatch(each.stem))

    def clear(self) -> None:
        """Delete what belongs to no upload: parts of those that broke off, and files of those that are done."""
        known = {f"{name}{suffix}" for name in self.names() for suffix in (_UPLOAD, _JOB)}
        with _telling():
            for each in self._folder.iterdir():
                if each.name not in known and _OURS.fullmatch(each.name):
                    each.unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        """What is known of an upload.

        Raises:
            IngestError: `spool_unavailable`.
        """
        with _telling(), (self._folder / (name + _JOB)).open("rb") as stream:
            return stream.read(_LARGEST_JOB)

    def write(self, name: str, data: bytes) -> None:
        """Keep what is known of an upload; it is on the disk when this returns.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`.
        """
        self._write(self._folder / (name + _JOB), data)

    def _write(self, path: Path, data: bytes) -> Path:
        try:
            write_bytes(path, data, PRIVATE)
            sync(path.parent)
        except VaultError as exc:
            raise IngestError("the spool cannot be written", _code(exc.__cause__)) from None
        except OSError as exc:
            raise IngestError("the spool cannot be written", _code(exc)) from None
        return path

    def drop(self, name: str) -> None:
        """Delete an upload; what is known of it stays.

        Raises:
            IngestError: `spool_unavailable`.
        """
        with _telling():
            (self._folder / (name + _UPLOAD)).unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Delete an upload, and what is known of it.

        Raises:
            IngestError: `spool_unavailable`.
        """
        self.drop(name)
        with _telling():
            (self._folder / (name + _JOB)).unlink(missing_ok=True)

    def begin(self) -> Upload:
        """A new upload.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`.
        """
        name = secrets.token_hex(16)
        with _telling():
            return Upload(name, self._folder / (name + _UPLOAD), self._key.to_public())

    @contextmanager
    def opened(self, name: str, interrupt: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
        """An upload from its beginning, decrypted as it is read; `interrupt` is called before each piece: it may raise.

        Raises:
            IngestError: `spool_unavailable`.
            SealingError: `input_unreadable`, while it is read: the file is cut or altered.
        """
        with _telling():
            stream = (self._folder / (name + _UPLOAD)).open("rb")
        with stream:
            decrypted = _Decrypted(stream, self._key, interrupt)
            try:
                yield cast(BinaryIO, io.BufferedReader(decrypted, 1 << 16))
            finally:
                decrypted.end()


class Upload:
    """One upload as it comes. It ends with `keep` or with `abandon`."""

    def __init__(self, name: str, path: Path, recipient: Any) -> None:
        self.name, self.size = name, 0
        self._path, self._part = path, path.with_name(path.name + _PART)
        self._fault: BaseException | None = None
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        reader, self._writer = _pipe()
        self._thread = threading.Thread(target=self._encrypt, args=(reader, descriptor, recipient), daemon=True)
        self._thread.start()

    def _encrypt(self, reader: IO[bytes], descriptor: int, recipient: Any) -> None:
        try:
            with os.fdopen(descriptor, "wb") as output:
                pyrage.encrypt_io(reader, output, [recipient])
                output.flush()
                os.fsync(descriptor)
        except BaseException as exc:  # told to who waits
            self._fault = exc
        finally:
            reader.close()  # who still writes then meets a broken pipe

    def write(self, data: bytes) -> None:
        """Take the next piece, waiting while the disk does.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`.
        """
        self.size += len(data)
        try:
            self._writer.write(data)
        except OSError:
            self.abandon()
            raise self._error() from None

    def keep(self) -> None:
        """Let it have its name; it is on the disk when this returns.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`.
        """
        self._end()
        if self._fault is not None:
            self.abandon()
            raise self._error()
        with _telling():
            self._part.replace(self._path)
            sync(self._path.parent)

    def abandon(self) -> None:
        """Delete it."""
        self._end()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _end(self) -> None:
        with suppress(OSError):
            self._writer.close()
        self._thread.join()

    def _error(self) -> IngestError:
        return IngestError("the upload cannot be kept", _code(self._fault))


class _Decrypted(io.RawIOBase):
    """What a thread decrypts, as it is read."""

    def __init__(self, stream: BinaryIO, key: Any, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._reader, writer = _pipe()
        self._is_cut = False
        self._thread = threading.Thread(target=self._decrypt, args=(stream, writer, key), daemon=True)
        self._thread.start()

    def _decrypt(self, stream: BinaryIO, writer: IO[bytes], key: Any) -> None:
        try:
            pyrage.decrypt_io(stream, writer, [key])
        except Exception:  # nobody reads any more, or the file is not what was written
            self._is_cut = True
        finally:
            with suppress(OSError):
                writer.close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._interrupt()
        view = memoryview(buffer).cast("B")
        data = os.read(self._reader.fileno(), len(view))
        if not data and len(view):
            self._thread.join()
            if self._is_cut:
                raise SealingError("the upload is cut or altered", "input_unreadable")
        view[: len(data)] = data
        return len(data)

    def end(self) -> None:
        """Let the thread end, whether all was read or not."""
        self._reader.close()
        self._thread.join()


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb")


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise IngestError("another node uses the spool", "spool_in_use") from None
    return descriptor


def _key_of(path: Path, secret: bytes) -> Any:
    """The spool's key, made where there is none."""
    wrapping = cast(bytes, HKDF(secret, 32, b"", SHA256, context=_CONTEXT))
    try:
        if not path.exists():
            identity, _ = new_identity()
            write_bytes(path, _wrapped(identity.encode(), wrapping), PRIVATE)
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_KEY)
        cipher = AES.new(wrapping, AES.MODE_GCM, nonce=data[:_NONCE_SIZE])
        text = cipher.decrypt_and_verify(data[_NONCE_SIZE:-_TAG_SIZE], data[-_TAG_SIZE:])
        return pyrage.x25519.Identity.from_str(text.decode())
    except (pyrage.IdentityError, ValueError):
        raise IngestError("the spool's key is another vault's, or damaged", "spool_key") from None
    except (OSError, VaultError) as exc:
        raise IngestError("the spool's key cannot be used", _code(exc)) from None


def _wrapped(identity: bytes, wrapping: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_SIZE)
    ciphertext, tag = AES.new(wrapping, AES.MODE_GCM, nonce=nonce).encrypt_and_digest(identity)
    return bytes(nonce + ciphertext + tag)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise IngestError(f"the spool cannot be used: {exc.strerror}", _code(exc)) from None


def _code(error: BaseException | None) -> str:
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "disk_full" if is_full else "spool_unavailable"
