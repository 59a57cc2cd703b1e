"""The tables of the registry. A table that is new here is made at the next start; a column is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, ForeignKeyConstraint, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class _Moment(TypeDecorator[datetime]):
    """A time with its zone, also where the database keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Table(DeclarativeBase):
    """Base of all of them."""

    type_annotation_map: ClassVar = {datetime: _Moment, dict[str, Any]: JSON, dict[str, float]: JSON}


class VersionRow(Table):
    """One version."""

    __tablename__ = "versions"

    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(12), primary_key=True)
    rank: Mapped[int]
    folder: Mapped[str]
    base_weights: Mapped[str]
    created: Mapped[datetime]
    metrics: Mapped[dict[str, float]]
    live_since: Mapped[datetime | None]
    retired: Mapped[bool] = mapped_column(default=False)


class LiveRow(Table):
    """Who is live for an alias."""

    __tablename__ = "live"

    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    primary: Mapped[str] = mapped_column(String(12))
    canary: Mapped[str | None] = mapped_column(String(12))
    weight: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(["alias", "primary"], ["versions.alias", "versions.version"]),
        ForeignKeyConstraint(["alias", "canary"], ["versions.alias", "versions.version"]),
    )


class PromotionRow(Table):
    """One change of who is live."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(String(63), index=True)
    before: Mapped[dict[str, Any] | None]  # Live, None: nothing was live
    after: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]
    undone: Mapped[datetime | None]


class MovesRow(Table):
    """What moves with a version."""

    __tablename__ = "moves"

    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(12), primary_key=True)
    moves: Mapped[dict[str, Any]]

    __table_args__ = (ForeignKeyConstraint(["alias", "version"], ["versions.alias", "versions.version"]),)


class VerdictRow(Table):
    """The last verdict of a gate on a version."""

    __tablename__ = "verdicts"

    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(12), primary_key=True)
    passed: Mapped[bool]
    report: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (ForeignKeyConstraint(["alias", "version"], ["versions.alias", "versions.version"]),)
