"""The declarative base: explicit constraint names, so that migrations can name them too."""

from sqlalchemy import BigInteger, MetaData, Sequence
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)


event_ids = Sequence("event_id_seq", data_type=BigInteger, metadata=Base.metadata)
"""Numbers everything that happens: sessions, player events, and so the versions of folds.

A number is drawn while the player's row is locked, so of two states of a player the newer one
always has the greater number, on any worker and whatever the hosts' clocks say.
"""
