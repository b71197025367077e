"""Alembic's migrations of the anchor queue, numbered."""
