"""The registry: versions, who is live, and every promotion, in a database through SQLAlchemy.

Everything blocks; the event loop calls it in threads. A method is one transaction: done whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import ScalarResult, select
from sqlalchemy.orm import Session

from pointsman.moves import Moves
from service.adapters.database import Database
from service.adapters.history import Promotion
from service.adapters.tables import LiveRow, MovesRow, PromotionRow, VerdictRow, VersionRow
from service.adapters.version import Live, Record, Verdict
from service.errors import AdapterConflict

_READ = 8  # promotions at a time


class Registry(Database):
    """The facts about versions."""

    def versions(self) -> list[Record]:
        """Every version, the oldest registration first."""
        with self._session() as session:
            rows = session.scalars(select(VersionRow).order_by(VersionRow.created, VersionRow.alias))
            return [_record(row) for row in rows]

    def live(self) -> dict[str, Live]:
        """Who is live, by alias."""
        with self._session() as session:
            return {row.alias: _live(row) for row in session.scalars(select(LiveRow).order_by(LiveRow.alias))}

    def put(self, record: Record) -> None:
        """Add a version, or register again one that was retired."""
        with self._session() as session:
            session.merge(VersionRow(**asdict(record)))

    def verdicts(self) -> list[tuple[str, str, Verdict]]:
        """Every verdict, with its alias and version."""
        with self._session() as session:
            rows = session.scalars(select(VerdictRow))
            return [(row.alias, row.version, _verdict(row)) for row in rows]

    def moves(self) -> list[tuple[str, str, Moves]]:
        """What moves with versions, each with its alias and version."""
        with self._session() as session:
            rows = session.scalars(select(MovesRow))
            return [(row.alias, row.version, Moves.model_validate(row.moves)) for row in rows]

    def carry(self, record: Record, moves: Moves | None) -> None:
        """Enter what moves with a version; None: nothing does any more.

        Raises:
            AdapterConflict: it is live, or a rollback could lead to it, and would bring something else.
        """
        with self._session() as session:
            live = session.get(LiveRow, record.alias, with_for_update=True)
            shown = [] if live is None else [_live(live)]
            with self._in_force(session, record.alias) as promotions:
                lives = (Live(**one) for row in promotions for one in (row.before, row.after) if one)
                is_shown = any(record.version in one.versions for one in chain(shown, lives))
            if is_shown:
                raise AdapterConflict(
                    f"{record.name} is live or was, and a rollback may lead to it: what moves with it can't "
                    "be changed; register another version"
                )
            row = session.get(MovesRow, (record.alias, record.version))
            if moves is not None:
                content = moves.model_dump(mode="json")
                session.merge(MovesRow(alias=record.alias, version=record.version, moves=content))
            elif row is not None:
                session.delete(row)

    def judge(self, record: Record, *, passed: bool, report: Mapping[str, Any], by: str) -> Verdict:
        """Keep the verdict on a version; one that was there before is replaced.

        Raises:
            AdapterConflict: it is refused and live.
        """
        with self._session() as session:
            live = session.get(LiveRow, record.alias, with_for_update=True)
            if not passed and live is not None and record.version in _live(live).versions:
                raise AdapterConflict(f"{record.name} is live; roll it back before it is refused")
            row = VerdictRow(
                alias=record.alias,
                version=record.version,
                passed=passed,
                report=dict(report),
                by=by,
                at=datetime.now(UTC),
            )
            return _verdict(session.merge(row))

    def promotions(self, record: Record) -> list[Promotion]:
        """Every change of who is live that gave the version a share, or took it; the first one first."""
        query = select(PromotionRow).where(PromotionRow.alias == record.alias).order_by(PromotionRow.id)
        with self._session() as session:
            found = [_promotion(row) for row in session.scalars(query)]
        return [
            one
            for one in found
            if record.version in (*one.after.versions, *(one.before.versions if one.before else ()))
        ]

    def retire(self, record: Record) -> None:
        """Mark a version as retired.

        Raises:
            AdapterConflict: it is live.
        """
        with self._session() as session:
            row = session.get(LiveRow, record.alias)
            if row is not None and record.version in _live(row).versions:
                raise AdapterConflict(f"{record.name} is live; promote another version first")
            version = session.get_one(VersionRow, (record.alias, record.version))
            version.retired = True

    def withdraw(self, alias: str, before: Live) -> None:
        """Take ``before`` out of service and mark its versions as retired.

        Raises:
            AdapterConflict: somebody else changed who is live.
        """
        with self._session() as session:
            session.delete(self._row(session, alias, before))
            for version in before.versions:
                session.get_one(VersionRow, (alias, version)).retired = True

    def switch(self, alias: str, before: Live | None, after: Live, by: str) -> datetime:
        """Put ``after`` in the place of ``before`` and remember it; the time of it.

        Raises:
            AdapterConflict: somebody else changed who is live.
        """
        now = datetime.now(UTC)
        with self._session() as session:
            self._replace(session, alias, before, after, now)
            was = None if before is None else asdict(before)
            promotion = PromotionRow(alias=alias, before=was, after=asdict(after), by=by, at=now, undone=None)
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
        session.merge(LiveRow(alias=alias, **asdict(after)))
        for version in after.versions:
            if before is None or version not in before.versions:
                session.get_one(VersionRow, (alias, version)).live_since = now

    @staticmethod
    def _row(session: Session, alias: str, expected: Live | None) -> LiveRow | None:
        """The row of ``alias``, locked."""
        row = session.get(LiveRow, alias, with_for_update=True)
        if (_live(row) if row is not None else None) != expected:
            raise AdapterConflict(f"another process changed what is live for {alias!r}; look and try again")
        return row

    @staticmethod
    def _steps(session: Session, alias: str) -> list[PromotionRow]:
        """The promotions by which the newest live version got its share, the last one first."""
        steps: list[PromotionRow] = []
        with Registry._in_force(session, alias) as promotions:
            for promotion in promotions:
                steps.append(promotion)
                newest = Live(**steps[0].after).versions[-1]
                if promotion.before is None or newest not in Live(**promotion.before).versions:
                    break
        return steps

    @staticmethod
    def _in_force(session: Session, alias: str) -> ScalarResult[PromotionRow]:
        """The promotions of ``alias`` that were not undone, the last one first; close it.

        A few are read at a time: an alias may have thousands, and a way back is short.
        """
        query = select(PromotionRow).where(PromotionRow.alias == alias, PromotionRow.undone.is_(None))
        return session.scalars(query.order_by(PromotionRow.id.desc()).execution_options(yield_per=_READ))


def _record(row: VersionRow) -> Record:
    return Record(**{field.name: getattr(row, field.name) for field in fields(Record)})


def _verdict(row: VerdictRow) -> Verdict:
    return Verdict(row.passed, row.report, row.by, row.at)


def _promotion(row: PromotionRow) -> Promotion:
    before = Live(**row.before) if row.before else None
    return Promotion(before, Live(**row.after), row.by, row.at, row.undone)


def _before(steps: Sequence[PromotionRow]) -> Live | None:
    return Live(**steps[-1].before) if steps and steps[-1].before else None


def _live(row: LiveRow) -> Live:
    return Live(row.primary, row.canary, row.weight)
