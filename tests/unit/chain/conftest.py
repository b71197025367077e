"""The chain of these tests."""

from tests.chain import local as local
