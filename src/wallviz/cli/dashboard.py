"""``wallviz run`` and ``wallviz check-data``: the dashboard, and the data that it shows."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import wallviz
from wallviz import catalog
from wallviz.cli.shell import Debug, Json, Lang, one_line, say, say_json
from wallviz.errors import InputError, WallvizError
from wallviz.i18n import N_, _


def run(
    extra: Annotated[list[str] | None, typer.Argument(metavar="-- OPTIONS", help=N_("Options of streamlit run."))] = None,
    port: Annotated[str | None, typer.Option("--port", metavar="N", help=N_("The port to serve on (default: 8501)."))] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="H", help=N_("The address to serve on (default: all of this machine's)."))] = None,
    headless: Annotated[bool | None, typer.Option("--headless/--no-headless", help=N_("Open no browser, or open one."))] = None,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Starts the dashboard in place of this process."""
    from wallviz.rooms.machine.consent import LOOPBACK, VARIABLE

    if port is not None and not (port.isascii() and port.isdecimal() and len(port) < 6 and 1 <= int(port) <= 65535):
        raise InputError(N_("{option} must lie between {low} and {high}: got {value}"), option="--port", low=1, high=65535, value=port[:40])
    if extra and not extra[0].startswith("-"):
        raise InputError(N_("{value} is no option: write wallviz run -- --option=value for options of streamlit run"), value=extra[0])
    _can_serve(host, int(port) if port is not None else None)
    # -P: whatever lies in the current directory is not imported in place of a package.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(_dashboard())]
    command += [f"--server.port={port}"] if port is not None else []
    command += [f"--server.address={host}"] if host else []
    if host in LOOPBACK:  # nobody but the reader is served, so the reader's machine may be measured from the page
        os.environ.setdefault(VARIABLE, "1")
    command += [f"--server.headless={str(headless).lower()}"] if headless is not None else []
    become([*command, *(extra or ())])


def _can_serve(host: str | None, port: int | None) -> None:
    """Says now what Streamlit would say in a traceback: no such address on this machine, or a port that is not free."""
    if (host is None and port is None) or (host or "").startswith("unix://"):
        return
    try:
        family, kind, _protocol, _name, where = socket.getaddrinfo(host or "0.0.0.0", port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":  # elsewhere it would allow a port that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except (socket.gaierror, UnicodeError):
        raise InputError(
            N_("no machine is called {value}: give --host an address of this machine, such as 127.0.0.1"), value=str(host)[:40]
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError(
                N_("{value} is not an address of this machine: give --host one that is, such as 127.0.0.1"), value=str(host)[:40]
            ) from None
        raise InputError(
            N_("port {port} cannot be used ({problem}): choose another with --port"), port=port, problem=(error.strerror or str(error)).lower()
        ) from None


def _dashboard() -> Path:
    """``app.py`` of the installed dashboard, else of the checkout that this package stands in."""
    package = Path(wallviz.__file__).resolve().parent
    for folder in (package / "_app", package.parents[1]):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder / "app.py"
    raise WallvizError(N_("this installation has no dashboard: install the wheel of wallviz, or run it from a checkout"))


def become(command: list[str]) -> None:
    """Runs `command` in the place of this process, so that Ctrl-C and its exit code are its own."""
    if os.name == "posix":
        os.execv(command[0], command)
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


def check_data(
    directory: Annotated[Path | None, typer.Argument(metavar="DIRECTORY", help=N_("Another data directory than the shipped one."))] = None,
    write_checksums: Annotated[
        bool, typer.Option("--write-checksums", help=N_("First write checksum and rows of every table into sources.yml."))
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Says what is wrong with the data, or that all is well."""
    if directory is not None and not directory.is_dir():
        raise InputError(N_("there is no directory {name}: name one that holds sources.yml and its tables"), name=directory)
    where = directory or catalog.DATA
    written = catalog.write_checksums(where) if write_checksums and (where / "sources.yml").is_file() else []
    problems = [one_line(problem) for problem in catalog.check(where)]
    tables, rows, sources = catalog.extent(where)
    if as_json:
        answer: dict[str, object] = {"ok": not problems, "problems": problems, "tables": tables, "rows": rows}
        say_json(answer | {"written": written} if write_checksums else answer)
    else:
        lines = [_("written: {file}").format(file=file) for file in written]
        lines += problems or [_("ok: {tables} tables, {rows} rows, {sources} sources").format(tables=tables, rows=rows, sources=sources)]
        say("\n".join(lines))
    if problems:
        raise typer.Exit(1)
