"""The registry: versions, who is live, and every promotion, in a database through SQLAlchemy.

Everything blocks; the event loop calls it in threads. A method is one transaction: done whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    String,
    TypeDecorator,
    create_engine,
    event,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from service.adapters.versions import Live, Record
from service.errors import AdapterConflict, RegistryUnavailable

_BUSY_SECONDS = 10.0


class _Moment(TypeDecorator[datetime]):
    """A time with its zone, also where the database keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class _Table(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: _Moment, dict[str, Any]: JSON, dict[str, float]: JSON}


class _Version(_Table):
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


class _Live(_Table):
    __tablename__ = "live"

    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    primary: Mapped[str] = mapped_column(String(12))
    canary: Mapped[str | None] = mapped_column(String(12))
    weight: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(["alias", "primary"], ["versions.alias", "versions.version"]),
        ForeignKeyConstraint(["alias", "canary"], ["versions.alias", "versions.version"]),
    )


class _Promotion(_Table):
    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(String(63), index=True)
    before: Mapped[dict[str, Any] | None]  # Live, None: nothing was live
    after: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]
    undone: Mapped[datetime | None]


class Registry:
    """The database at one SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._engine = create_engine(parsed, pool_pre_ping=True)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            event.listen(self._engine, "connect", _set_up_sqlite)

    def create(self) -> None:
        """Make the tables that are not there yet."""
        with _mapped():
            _Table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def versions(self) -> list[Record]:
        """Every version, the oldest registration first."""
        with self._session() as session:
            rows = session.scalars(select(_Version).order_by(_Version.created, _Version.alias))
            return [_record(row) for row in rows]

    def live(self) -> dict[str, Live]:
        """Who is live, by alias."""
        with self._session() as session:
            return {row.alias: _live(row) for row in session.scalars(select(_Live).order_by(_Live.alias))}

    def put(self, record: Record) -> None:
        """Add a version, or register again one that was retired."""
        with self._session() as session:
            session.merge(_Version(**asdict(record)))

    def retire(self, record: Record) -> None:
        """Mark a version as retired.

        Raises:
            AdapterConflict: it is live.
        """
        with self._session() as session:
            row = session.get(_Live, record.alias)
            if row is not None and record.version in _live(row).versions:
                raise AdapterConflict(f"{record.name} is live; promote another version first")
            version = session.get_one(_Version, (record.alias, record.version))
            version.retired = True

    def withdraw(self, alias: str, before: Live) -> None:
        """Take ``before`` out of service and mark its versions as retired.

        Raises:
            AdapterConflict: somebody else changed who is live.
        """
        with self._session() as session:
            session.delete(self._row(session, alias, before))
            for version in before.versions:
                session.get_one(_Version, (alias, version)).retired = True

    def switch(self, alias: str, before: Live | None, after: Live, by: str) -> datetime:
        """Put ``after`` in the place of ``before`` and remember it; the time of it.

        Raises:
            AdapterConflict: somebody else changed who is live.
        """
        now = datetime.now(UTC)
        with self._session() as session:
            self._replace(session, alias, before, after, now)
            was = None if before is None else asdict(before)
            promotion = _Promotion(alias=alias, before=was, after=asdict(after), by=by, at=now, undone=None)
            session.add(promotion)
        return now

    def way_back(self, alias: str) -> Live | None:
        """Who was live before the newest live version had any share; None where there is no way back."""
        with self._session() as session:
            return _before(self._steps(session, alias))

    def undo(self, alias: str, before: Live, after: Live) -> datetime:
        """Put ``after`` in the place of ``before`` and mark what led there as undone; the time of it.

        Raises:
            AdapterConflict: somebody else changed who is live.
        """
        now = datetime.now(UTC)
        with self._session() as session:
            self._replace(session, alias, before, after, now)
            steps = self._steps(session, alias)
            if _before(steps) != after:
                raise AdapterConflict(f"{alias!r} was promoted meanwhile; look and try again")
            for promotion in steps:
                promotion.undone = now
        return now

    @staticmethod
    def _replace(session: Session, alias: str, before: Live | None, after: Live, now: datetime) -> None:
        Registry._row(session, alias, before)
        session.merge(_Live(alias=alias, **asdict(after)))
        for version in after.versions:
            if before is None or version not in before.versions:
                session.get_one(_Version, (alias, version)).live_since = now

    @staticmethod
    def _row(session: Session, alias: str, expected: Live | None) -> _Live | None:
        """The row of ``alias``, locked."""
        row = session.get(_Live, alias, with_for_update=True)
        if (_live(row) if row is not None else None) != expected:
            raise AdapterConflict(f"another process changed what is live for {alias!r}; look and try again")
        return row

    @staticmethod
    def _steps(session: Session, alias: str) -> list[_Promotion]:
        """The promotions by which the newest live version got its share, the last one first."""
        query = select(_Promotion).where(_Promotion.alias == alias, _Promotion.undone.is_(None))
        steps: list[_Promotion] = []
        for promotion in session.scalars(query.order_by(_Promotion.id.desc())):
            steps.append(promotion)
            newest = Live(**steps[0].after).versions[-1]
            if promotion.before is None or newest not in Live(**promotion.before).versions:
                break
        return steps

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with _mapped(), Session(self._engine) as session, session.begin():
            yield session


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as exc:
        reason = str(getattr(exc, "orig", None) or exc).splitlines()[0]
        raise RegistryUnavailable(f"the registry's database failed: {reason}") from exc


def _set_up_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={int(_BUSY_SECONDS * 1000)}")
    cursor.close()


def _record(row: _Version) -> Record:
    return Record(**{field.name: getattr(row, field.name) for field in fields(Record)})


def _before(steps: Sequence[_Promotion]) -> Live | None:
    return Live(**steps[-1].before) if steps and steps[-1].before else None


def _live(row: _Live) -> Live:
    return Live(row.primary, row.canary, row.weight)
