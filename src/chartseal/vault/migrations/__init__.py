"""Alembic's migrations of a vault, numbered."""
