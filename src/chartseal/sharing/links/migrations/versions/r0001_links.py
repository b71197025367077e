"""Links, their files, where files are for minutes, and who opened what."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "share_link",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("is_direct", sa.Boolean, nullable=False),
        sa.Column("is_one_time", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("used_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("passcode_salt", sa.LargeBinary(16)),
        sa.Column("passcode_hash", sa.LargeBinary(32)),
        sa.Column("attempts_left", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="share_link_pk"),
        sa.UniqueConstraint("name_hash", name="share_link_name_hash_uq"),
    )
    op.create_table(
        "share_file",
        sa.Column("id", _ID, nullable=False),
        sa.Column("link_id", _ID, nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("jwe", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="share_file_pk"),
        sa.ForeignKeyConstraint(["link_id"], ["share_link.id"], name="share_file_link_id_fk"),
        sa.UniqueConstraint("link_id", "position", name="share_file_link_id_position_uq"),
    )
    op.create_table(
        "share_location",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="share_location_pk"),
        sa.ForeignKeyConstraint(["file_id"], ["share_file.id"], name="share_location_file_id_fk"),
    )
    op.create_index("share_location_expires_at_ix", "share_location", ["expires_at"])
    op.create_index("share_location_file_id_ix", "share_location", ["file_id"])
    op.create_table(
        "share_opening",
        sa.Column("id", _ID, nullable=False),
        sa.Column("link_id", _ID, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("recipient", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="share_opening_pk"),
        sa.ForeignKeyConstraint(["link_id"], ["share_link.id"], name="share_opening_link_id_fk"),
    )
    op.create_index("share_opening_link_id_ix", "share_opening", ["link_id"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("opening", "location", "file", "link"):
        op.drop_table(f"share_{name}")
