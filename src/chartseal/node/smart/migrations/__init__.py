"""Alembic's migrations of the token endpoint's tables, numbered."""
