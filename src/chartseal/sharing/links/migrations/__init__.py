"""Alembic's migrations of shared links, numbered."""
