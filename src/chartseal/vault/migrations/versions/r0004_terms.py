"""Terms name their records without a foreign key: to check it for each of them was a fifth of the server's work."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_KEY = "vault_term_record_id_fk"


def upgrade() -> None:
    """Drop the key; SQLite knows no way but a new table."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()
    else:
        op.drop_constraint(_KEY, "vault_term", type_="foreignkey")


def downgrade() -> None:
    """Make it again."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name=_KEY))
    else:
        op.create_foreign_key(_KEY, "vault_term", "vault_record", ["record_id"], ["id"])


def _make_anew(*more: sa.Constraint) -> None:
    op.create_table(
        "vault_term_anew",
        sa.Column("term", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("term", "record_id", name="vault_term_pk"),
        *more,
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO vault_term_anew SELECT term, record_id FROM vault_term ORDER BY term, record_id")
    op.drop_table("vault_term")
    op.rename_table("vault_term_anew", "vault_term")
    op.create_index("vault_term_record_id_ix", "vault_term", ["record_id"])
