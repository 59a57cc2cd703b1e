"""A gateway on its address until it is told to stop: uvicorn, signals, progress, and an orderly end.

The parts are started and stopped here and not by uvicorn's lifespan, so that what goes wrong at the start
is one clear line and the engine is gone when :func:`serve` returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TextIO

import uvicorn
import uvloop

from service import open_files
from service.app import create_app
from service.errors import RoutesRejected, ServiceError
from service.gateway import Gateway
from service.logs import log_to, stop_logging
from service.protocol import Protocol
from service.settings import Settings

log = logging.getLogger("pointsman.server")

Report = Callable[[str], None]

CLAIM = "gateway.lock"  # in the folder of state
WARNING = "warning: "  # how a line begins about something that works and won't work well
PROBLEM = "problem: "  # and about something that has to be mended, and is tried again then

_GRACE = 10  # seconds that answers under way get after Ctrl-C; a second one cuts them at once
_CUT = 2  # seconds until who does not read that his answer is cut is left alone
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK = 0.25  # seconds between looks at how far the start is
_QUIET = 2.0  # seconds between two lines of progress
_IDLE = 75  # seconds that an idle connection is kept: longer than by clients, whose next request would fail
_TURN = 0.0005  # seconds that a thread computes in Python before another may; Python's own are 0.005
_YOUNG = 10_000  # objects more than before, at which Python looks for garbage: more than 64 requests have


def serve(settings: Settings, report: Report, log_stream: TextIO | None = None) -> int:
    """Run a gateway until a signal ends it; the exit status.

    Args:
        report: gets each line of progress, and what went wrong.
        log_stream: where log lines go; None: to <state>/gateway.log.
    """
    try:
        listener = _listen(settings.gateway.host, settings.gateway.port)
    except OSError as exc:
        address = f"{settings.gateway.host}:{settings.gateway.port}"
        report(f"can't listen on {address}: {exc.strerror}; choose another gateway.port or stop who has it")
        return 1
    try:
        claim = _claim(settings.state)
    except OSError as exc:
        listener.close()
        report(f"can't use the folder of state {settings.state}: {exc.strerror}")
        return 1
    open_files.allow_most()
    # while decisions, fits and checks compute, the event loop waits for a turn at each step of a request
    sys.setswitchinterval(_TURN)
    handler = log_to(log_stream if log_stream is not None else settings.state)
    try:
        with claim, listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, listener, report))
    finally:
        stop_logging(handler)


def _claim(state: Path) -> TextIO:
    """A file that this gateway holds as long as it runs: two on one registry would undo each other's work.

    Raises:
        OSError: another gateway has it, or it can't be written.
    """
    state.mkdir(parents=True, exist_ok=True)
    claim = (state / CLAIM).open("a+", encoding="ascii")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        claim.seek(0)
        owner = claim.read(20) or "unknown"
        claim.close()
        words = f"the gateway of process {owner} has it; stop that, or give this one a state of its own"
        raise BlockingIOError(exc.errno, words) from exc
    claim.truncate(0)
    claim.write(str(os.getpid()))
    claim.flush()
    return claim


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # they are ours


async def _serve(settings: Settings, listener: socket.socket, report: Report) -> int:
    try:
        app = create_app(settings)
        gateway: Gateway = app.state.gateway
        await gateway.start()
    except (ServiceError, OSError) as exc:
        log.exception("the gateway did not start")
        for line in exc.problems if isinstance(exc, RoutesRejected) else [str(exc)]:
            report(line)
        return 1
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE + _CUT,
    )
    server = _Server(config)
    address = f"http://{_host(settings)}:{listener.getsockname()[1]}"
    progress = asyncio.create_task(_tell(gateway, address, report), name="progress")
    _stop_on_signals(server, gateway, progress, report)
    try:
        await server.serve(sockets=[listener])
    finally:
        progress.cancel()
        await asyncio.gather(progress, return_exceptions=True)
        await gateway.stop()
    return 0


def _stop_on_signals(
    server: uvicorn.Server, gateway: Gateway, progress: asyncio.Task[None], report: Report
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.should_exit:
            gateway.exchange.end()
            loop.call_later(_CUT, setattr, server, "force_exit", True)
            return
        server.should_exit = True
        progress.cancel()  # whatever starts still is of no interest now
        loop.call_later(_GRACE, gateway.exchange.end)
        report("stopping")

    for one in _SIGNALS:
        loop.add_signal_handler(one, stop)


async def _tell(gateway: Gateway, address: str, report: Report) -> None:
    """Progress until the gateway is ready, and afterwards when that changes."""
    was_ready, told, when, is_kept = False, "", 0.0, False
    warned: set[str] = set()
    refused: tuple[str, ...] = ()

    def warn() -> None:
        now = (*gateway.adapters.problems, *gateway.warnings)
        for warning in now:
            if warning not in warned:
                report(f"{WARNING}{warning}")
        warned.intersection_update(now)  # what comes again is said again
        warned.update(now)

    while True:
        if gateway.routes.problems != refused:
            refused = gateway.routes.problems
            for problem in refused:
                report(f"{PROBLEM}{problem}")
            if refused:
                rest = "the routes of before stay live" if gateway.routes.live else "no request can be routed"
                report(f"{PROBLEM}{rest}; mended files are read at once")
            else:
                was_ready = False  # mended: say so once more
        readiness = gateway.readiness()
        if readiness.ready != was_ready:
            was_ready = readiness.ready
            if was_ready:
                if not is_kept:
                    _keep_for_good()
                    is_kept = True
                warn()
            told = f"ready: {address}/v1" if was_ready else readiness.reasons[0]
            report(told)
        elif not was_ready and time.monotonic() - when >= _QUIET and readiness.reasons[0] != told:
            told, when = readiness.reasons[0], time.monotonic()
            report(told)
        elif was_ready:
            warn()  # of what came with other routes, or went with an adapter
        await asyncio.sleep(_LOOK)


def _keep_for_good() -> None:
    """Spare Python's garbage collector what is there now.

    It looks at all objects every few hundred requests, and everybody waits meanwhile: 100 ms with a router
    and an application, which live as long as the gateway does. Once: each time it keeps the requests that are
    under way for good too.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # of nothing: else the next whole look waits until there is a quarter as much as was spared
    gc.set_threshold(_YOUNG)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _host(settings: Settings) -> str:
    host = settings.gateway.host
    return f"[{host}]" if ":" in host else host
