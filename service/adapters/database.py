"""The database that the registry is in: connections, transactions, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.adapters.tables import Table
from service.errors import RegistryUnavailable

_BUSY_SECONDS = 10.0
_DISK = ("disk", "readonly", "unable to open")  # in SQLite's words for what its disk does not allow


class Database:
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
            Table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

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
        if any(word in reason for word in _DISK):
            reason += (
                "; nothing was changed, and who was live stays live. Make room in the state folder, or let "
                "the gateway write there, and ask again"
            )
        raise RegistryUnavailable(f"the registry's database failed: {reason}") from exc


def _set_up_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={int(_BUSY_SECONDS * 1000)}")
    cursor.close()
