"""The settings of a gateway: ``pointsman.yaml`` as one frozen object, or one report of all that is wrong.

Relative paths are relative to the file; after :meth:`Settings.load` every path is absolute. Nothing here
reads the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pointsman.document import Document, DocumentError, lines_of, parse, plain, read
from pointsman.problems import Location, Problem
from service.sections import (
    CARRIED,
    AdapterSettings,
    AdmissionSettings,
    EngineSettings,
    FeedbackSettings,
    GatewaySettings,
    LimitSettings,
    RouterSettings,
    is_hub_id,
)


class Settings(Document):
    """Everything in ``pointsman.yaml``."""

    gateway: GatewaySettings = GatewaySettings()
    state: Path = Path(".pointsman")  # database, logs, keys that were made
    database: str | None = None  # SQLAlchemy URL; None: SQLite in <state>/registry.db
    engine: EngineSettings
    admission: AdmissionSettings = AdmissionSettings()
    router: RouterSettings
    prompts: Path  # folder of templates
    adapters: AdapterSettings
    feedback: FeedbackSettings = FeedbackSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def database_url(self) -> str:
        """Where the registry is."""
        return self.database or f"sqlite:///{self.state / 'registry.db'}"

    @classmethod
    def load(cls, path: Path | str) -> Settings:
        """The settings in ``path``, every path of them absolute.

        Raises:
            DocumentError: with all that is wrong, files that don't exist included.
        """
        path = Path(path).absolute()
        text = read(path)
        try:
            settings, problems = parse(cls, text, path), list[Problem]()
        except DocumentError as exc:
            settings, problems = None, exc.problems
        problems += _missing(text, path.parent)
        if settings is None or problems:
            raise DocumentError(path, problems)
        return settings._resolved(path.parent)

    @staticmethod
    def routes_and_prompts(path: Path | str) -> tuple[Path | None, Path | None]:
        """Where ``path`` says that routes and prompts are, whatever else is wrong; None: not there."""
        path = Path(path).absolute()
        try:
            data = plain(read(path))
        except DocumentError:
            return None, None
        router = data.get("router") if isinstance(data, Mapping) else None
        routes = router.get("routes") if isinstance(router, Mapping) else None
        prompts = data.get("prompts") if isinstance(data, Mapping) else None
        file = _absolute(path.parent, routes) if isinstance(routes, str) else None
        folder = _absolute(path.parent, prompts) if isinstance(prompts, str) else None
        return (
            file if file is not None and file.is_file() else None,
            folder if folder is not None and folder.is_dir() else None,
        )

    def _resolved(self, here: Path) -> Settings:
        engine = self.engine.model_copy(update={"model": _folder_or_id(here, self.engine.model)})
        encoder = _folder_or_id(here, self.router.encoder)
        routes = _absolute(here, self.router.routes)
        router = self.router.model_copy(update={"encoder": encoder, "routes": routes})
        adapters = self.adapters.model_copy(update={"folder": _absolute(here, self.adapters.folder)})
        return self.model_copy(
            update={
                "state": _absolute(here, self.state),
                "engine": engine,
                "router": router,
                "prompts": _absolute(here, self.prompts),
                "adapters": adapters,
            }
        )


def _absolute(here: Path, path: Path | str) -> Path:
    return (here / Path(path).expanduser()).resolve()


def _folder_or_id(here: Path, name: str) -> str:
    folder = _absolute(here, name)
    return name if name == CARRIED or (is_hub_id(name) and not folder.is_dir()) else str(folder)


def _missing(text: str, here: Path) -> list[Problem]:
    """A problem for each file and folder that isn't there, whatever else is wrong in ``text``."""
    try:
        data, lines = plain(text), lines_of(text)
    except DocumentError:
        return []
    problems = []
    for place, name, kind in _paths(data if isinstance(data, Mapping) else {}, here):
        found = _absolute(here, name)
        if not (found.is_file() if kind == "file" else found.is_dir()):
            problems.append(Problem(lines.get(place), ".".join(map(str, place)), f"no such {kind}: {found}"))
    return problems


def _paths(data: Mapping[str, Any], here: Path) -> Iterator[tuple[Location, str, Literal["file", "folder"]]]:
    def value(*place: str) -> Any:
        found: Any = data
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    for place in (("router", "routes"), ("prompts",), ("adapters", "folder")):
        if isinstance(name := value(*place), str):
            yield place, name, "file" if place[-1] == "routes" else "folder"
    for place in (("engine", "model"), ("router", "encoder")):
        if isinstance(name := value(*place), str) and name:
            resolved = _folder_or_id(here, name)
            if resolved != name:
                yield place, resolved, "folder"
    folder, preload = value("adapters", "folder"), value("adapters", "preload")
    if isinstance(folder, str) and _absolute(here, folder).is_dir() and isinstance(preload, Mapping):
        for alias, name in preload.items():
            if isinstance(name, str):
                yield ("adapters", "preload", alias), str(_absolute(here, folder) / name), "folder"
