"""Large ciphertexts in an S3-compatible store, one object each: `<prefix>/<hash in hex>`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from chartseal.errors import MissingExtraError, VaultDamageError, VaultError
from chartseal.vault.blobs import digests
from chartseal.vault.blobs.store import LONGEST_MARK, MARK

_ATTEMPTS = 5
_CONNECT, _READ = 5, 30
"""Seconds in which the store takes a connection, and sends something."""
_OPTIONS = {"endpoint", "region"}
_ABSENT = {"NoSuchKey", "404"}
_NO_ROOM = 507
_LONGEST_WORD = 40


class S3Blobs:
    """A bucket, or what lies under a prefix of it. Keep the bucket unversioned: versions outlive what is erased.

    Credentials come from where boto3 looks for them (environment, files, the machine's role), never from the URL.
    """

    kind = "s3"

    def __init__(self, url: str) -> None:
        """Take `s3://bucket/prefix?endpoint=https://…&region=…`; nothing is asked of the store yet.

        Raises:
            VaultError: `blobs_url`; no message shows the URL.
            MissingExtraError: boto3 is not installed.
        """
        self._bucket, self._prefix, options = _parts(url)
        self._client = _client(options)
        self._faults, cuts = _faults()
        self._again = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(0.1, max=5),
            retry=retry_if_exception_type((*cuts, VaultDamageError)),
            reraise=True,
        )

    def put(self, digest: bytes, data: bytes) -> None:
        """Put it with its hash, which the store checks."""
        checksum = base64.b64encode(digest).decode()
        with self._using(digest):
            self._client.put_object(**self._object(digest), Body=data, ChecksumSHA256=checksum)

    def get(self, digest: bytes) -> bytes:
        """A ciphertext, its hash checked; a body that is cut, or is another, is asked for again."""
        with self._using(digest):
            return self._again(self._read, digest)

    def _read(self, digest: bytes) -> bytes:
        with self._client.get_object(**self._object(digest))["Body"] as body:
            return digests.require(digest, body.read())

    def delete(self, digest: bytes) -> None:
        """Delete the object."""
        with self._using(digest):
            self._client.delete_object(**self._object(digest))

    def digests(self, *, before: float | None = None) -> Iterator[bytes]:
        """The hashes of all objects under the prefix, or of those put before a time of the store's own clock."""
        with self._using(None):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for each in (each for page in pages for each in page.get("Contents", ())):
                digest = digests.named(each["Key"].removeprefix(self._prefix))
                if digest is not None and (before is None or each["LastModified"].timestamp() < before):
                    yield digest

    def mark(self) -> str:
        """What the object `.vault` names."""
        key = self._prefix + MARK
        with self._using(None):
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1).get("Contents", ())
            if key not in (each["Key"] for each in found):
                return ""
            with self._client.get_object(Bucket=self._bucket, Key=key)["Body"] as body:
                return str(body.read(LONGEST_MARK).decode("ascii", "replace").strip())

    def set_mark(self, mark: str) -> None:
        """Put the object `.vault`."""
        with self._using(None):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + MARK, Body=f"{mark}\n".encode())

    def _object(self, digest: bytes) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + digests.name(digest)}

    @contextmanager
    def _using(self, digest: bytes | None) -> Iterator[None]:
        """Tell a fault of the store as ours; its own words may quote the endpoint."""
        try:
            yield
        except self._faults as exc:
            raise _told(exc, digest) from None


def _told(error: Exception, digest: bytes | None) -> VaultError:
    answer = getattr(error, "response", None) or {}
    stated = str(answer.get("Error", {}).get("Code"))[:_LONGEST_WORD]
    word = stated if answer and stated.isalnum() else type(error).__name__
    if word in _ABSENT and digest is not None:
        return digests.missing(digest)
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == _NO_ROOM:
        return VaultError("the store of ciphertexts has no space left", "disk_full")
    return VaultError(f"the store of ciphertexts cannot be used: {word}", "blobs_unavailable")


def _parts(url: str) -> tuple[str, str, dict[str, str]]:
    """Bucket, prefix with its final slash, options."""
    wrong = VaultError("a store of ciphertexts is at s3://bucket/prefix?endpoint=https://…", "blobs_url")
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        endpoint = urlsplit(query.get("endpoint", ["https://default"])[0])
    except ValueError:
        raise wrong from None
    once = all(len(values) == 1 for values in query.values()) and set(query) <= _OPTIONS
    # A password in the URL would end in histories and logs.
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.fragment or not once:
        raise wrong
    if endpoint.scheme not in ("http", "https") or not endpoint.netloc or "@" in endpoint.netloc:
        raise wrong
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else "", {name: values[0] for name, values in query.items()}


def _client(options: dict[str, str]) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise MissingExtraError("ciphertexts in an S3-compatible store need the extra `s3`") from None
    own = "endpoint" in options
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        s3={"addressing_style": "path"} if own else {},  # few stores of one's own answer for bucket.host
        response_checksum_validation="when_required",  # we check the hash ourselves
    )
    region = options.get("region") or ("us-east-1" if own else None)
    try:
        session = boto3.session.Session()
        return session.client("s3", config=config, endpoint_url=options.get("endpoint"), region_name=region)
    except (BotoCoreError, ValueError) as exc:
        raise VaultError(f"the store of ciphertexts cannot be used: {type(exc).__name__}", "blobs_url") from None


def _faults() -> tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]]:
    """All that boto3 raises; and what of it tells that a body was cut, which boto3 does not ask for again."""
    from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, ResponseStreamingError
    from urllib3.exceptions import HTTPError  # boto3 passes on what it says of a body

    return (BotoCoreError, ClientError, HTTPError), (IncompleteReadError, ResponseStreamingError, HTTPError)
