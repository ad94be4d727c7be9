"""Real servers for tests: PostgreSQL and application servers, on free loopback ports, always ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql

T = TypeVar("T")

APPLICATION_SERVERS = (
    "gunicorn-sync",
    "gunicorn-gthread",
    "gunicorn-preload",
    "gunicorn-gevent",
    "uvicorn",
    "granian",
    "granian-asgi",
    "uwsgi",
)

_LOOPBACK = "127.0.0.1"
# Nothing may follow a developer's or CI's proxy from one loopback server to another.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], T], *, timeout: float = 60.0, what: str = "") -> T:
    """Return the first true value of ``condition``; raise ``TimeoutError`` after ``timeout`` seconds.

    It is as long as the busiest machine may take: who waits in vain has failed, and may take a minute.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)
    return value


class Postgres:
    """A PostgreSQL of our own in a temporary directory; without fsync, so that it is fast and nothing else.

    It can be stopped, killed and started again; ``close()`` also removes what it kept.
    """

    user = "postgres"

    def __init__(self, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="qaprod-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._as: dict[str, Any] = {"user": self.user, "group": self.user} if os.geteuid() == 0 else {}
        if self._as:
            self._as["extra_groups"] = []
            shutil.chown(self._directory, self.user, self.user)

    @property
    def running(self) -> bool:
        """Whether the server accepts connections."""
        try:
            psycopg.connect(self.dsn(), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> Postgres:
        """Start the server and wait until it accepts connections."""
        data = self._directory / "data"
        if not data.exists():
            self._initialise(data)
        options = {
            "fsync": "off",
            "full_page_writes": "off",
            "listen_addresses": _LOOPBACK,
            "max_connections": "200",
            "port": str(self.port),
            "synchronous_commit": "off",
            "unix_socket_directories": "",
        }
        arguments = (f"--{key}={value}" for key, value in options.items())
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_postgres_program("postgres"), "-D", data, *arguments],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C at the terminal is for pytest, which then stops us in order.
                start_new_session=True,
                **self._as,
            )
        wait_until(self._started, what="PostgreSQL accepts connections")
        return self

    def stop(self) -> None:
        """End all connections, shut down and wait for it."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash: no shutdown, recovery at the next start."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and remove everything."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def dsn(self, name: str = "postgres") -> str:
        """Return psycopg's connection string for a database."""
        return f"host={_LOOPBACK} port={self.port} user={self.user} dbname={name}"

    def create_database(self, name: str) -> dict[str, Any]:
        """Create an empty database; return what goes into ``DATABASES``."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.django_settings(name)

    def django_settings(self, name: str) -> dict[str, Any]:
        """Return what goes into ``DATABASES`` for a database."""
        return postgres_settings(self.port, name)

    def _initialise(self, data: Path) -> None:
        arguments = ("-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [_postgres_program("initdb"), "-D", data, *arguments],
            cwd=self._directory,
            check=True,
            capture_output=True,
            **self._as,
        )

    def _started(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("PostgreSQL ended:\n" + (self._directory / "log").read_text(errors="replace"))
        return self.running

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._process = None


def postgres_settings(port: int, name: str) -> dict[str, Any]:
    """Return what goes into ``DATABASES`` for a database of the ``Postgres`` on ``port``."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _LOOPBACK,
        "NAME": name,
        "PORT": port,
        "USER": Postgres.user,
    }


def postgres_missing() -> str:
    """Return what is missing for ``Postgres`` to start, or nothing."""
    try:
        _postgres_program("postgres")
    except FileNotFoundError as error:
        return str(error)
    return ""


def _postgres_program(name: str) -> str:
    """Return the path of one of PostgreSQL's server programs; Debian keeps them out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if debian:
        return str(debian[-1])
    if found := shutil.which(name):
        return found
    raise FileNotFoundError(f"PostgreSQL's {name} (on Debian: apt-get install postgresql)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes


@dataclass(slots=True, kw_only=True)
class ApplicationServer:
    """A running application server; all of its processes are one process group."""

    kind: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"http://{_LOOPBACK}:{self.port}"

    def get(
        self, path: str = "/", *, headers: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Response:
        """Request a path; an error status is an answer like any other."""
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        try:
            answer = _opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Response(status=answer.status, headers=answer.headers, body=answer.read())

    def workers(self) -> list[int]:
        """Return the ids of the processes that the server's main process has started (Linux)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def output(self) -> str:
        """Return everything that the server wrote."""
        return self.log.read_text(errors="replace")

    def stop(self, *, timeout: float = 60) -> None:
        """Ask for an orderly end (SIGTERM) and wait for it; raise ``TimeoutExpired`` if it does not come."""
        self.process.terminate()
        self.process.wait(timeout=timeout)

    def kill(self) -> None:
        """End all processes at once (kill -9) and wait for it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not self.alive(), what=f"{self.kind} and its workers are gone")

    def alive(self) -> bool:
        """Whether any of its processes runs (a zombie does not; Linux)."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    return True
        return False


@contextmanager
def run_server(
    kind: str,
    *,
    project: Path,
    settings: str,
    workers: int = 1,
    threads: int = 4,
    environment: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    port: int | None = None,
    python: str | Path = sys.executable,
) -> Iterator[ApplicationServer]:
    """Run one of ``APPLICATION_SERVERS`` over a Django project until the block ends.

    ``project`` is the directory that holds the project's package, ``settings`` the dotted path of its
    settings module, beside which ``wsgi`` and ``asgi`` are found. No request is made to see whether it is up.
    ``python`` is the interpreter whose packages are used.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="qaprod-server-") as directory:
        log = Path(directory, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_command(kind, python, settings.rpartition(".")[0], port, workers, threads), *arguments],
                cwd=project,
                env=_environment(project, settings, environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = ApplicationServer(kind=kind, port=port, process=process, log=log)
        try:
            wait_until(lambda: _listens(server), what=f"{kind} listens")
            yield server
        finally:
            with suppress(subprocess.TimeoutExpired):
                server.stop()
            server.kill()


def _command(
    kind: str, python: str | Path, package: str, port: int, workers: int, threads: int
) -> list[str | Path]:
    wsgi, asgi = f"{package}.wsgi:application", f"{package}.asgi:application"
    at, listen = f"{_LOOPBACK}:{port}", ("--host", _LOOPBACK, "--port", str(port))
    processes = ("--workers", str(workers))
    gunicorn = (
        *(python, "-m", "gunicorn", wsgi, "--bind", at, *processes),
        *("--graceful-timeout", "5", "--log-level", "warning", "--no-control-socket"),
    )
    uvicorn = (python, "-m", "uvicorn", asgi, *listen, *processes, "--lifespan", "off", "--no-access-log")
    granian = (python, "-m", "granian", *listen, *processes, "--log-level", "warning")
    # The program of the environment, which may not be the active one.
    uwsgi = (
        *(Path(python).with_name("uwsgi"), "--http-socket", at, "--module", wsgi, "--need-app", "--master"),
        *("--processes", str(workers), "--threads", str(threads), "--enable-threads", "--die-on-term"),
        *("--py-call-uwsgi-fork-hooks", "--disable-logging"),
    )
    commands: dict[str, tuple[str | Path, ...]] = {
        "gunicorn-sync": (*gunicorn, "--worker-class", "sync"),
        "gunicorn-gthread": (*gunicorn, "--worker-class", "gthread", "--threads", str(threads)),
        "gunicorn-preload": (*gunicorn, "--worker-class", "sync", "--preload"),
        "gunicorn-gevent": (*gunicorn, "--worker-class", "gevent"),
        "uvicorn": (*uvicorn, "--log-level", "warning"),
        "granian": (*granian, "--interface", "wsgi", "--blocking-threads", str(threads), wsgi),
        "granian-asgi": (*granian, "--interface", "asginl", asgi),
        "uwsgi": uwsgi,
    }
    return [*commands[kind]]


def _environment(project: Path, settings: str, changes: Mapping[str, str]) -> dict[str, str]:
    paths = [str(project), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
        **changes,
    }


def _listens(server: ApplicationServer) -> bool:
    if server.process.poll() is not None:
        raise RuntimeError(f"{server.kind} ended with {server.process.returncode}:\n{server.output()}")
    with socket.socket() as probe:
        return probe.connect_ex((_LOOPBACK, server.port)) == 0
