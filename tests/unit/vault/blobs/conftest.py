"""Stores of ciphertexts: a folder, and moto's S3 behind a proxy that misbehaves."""

from tests.s3_server import s3_proxy as s3_proxy
from tests.s3_server import s3_server as s3_server
