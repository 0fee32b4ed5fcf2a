"""What must hold before memweb can start. Each thing that does not is one sentence with its fix."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from pathlib import Path
from typing import IO

from django.conf import settings

ROOM_BYTES = 50_000_000


class NotReady(Exception):
    """memweb cannot start here; the message is for the person who started it."""


def hold_folder() -> IO[str]:
    """Take the data folder for this process, for as long as the returned file is open. Raises NotReady."""
    folder: Path = settings.DATA_DIR
    try:
        for needed in (folder, settings.SPOOL_DIR, settings.AUDIO_DIR, settings.MODELS_DIR):
            needed.mkdir(parents=True, exist_ok=True)
            _write_something(needed)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise NotReady(_folder_sentence(folder, error)) from error
    if shutil.disk_usage(folder).free < ROOM_BYTES:
        lock.close()
        raise NotReady(_folder_sentence(folder, OSError(errno.ENOSPC, "")))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise NotReady(
            f"memweb already runs from {folder} (process {holder}). Open its page, stop it first, "
            "or use another folder: MEMWEB_DATA_DIR=/another/folder ./run"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _write_something(folder: Path) -> None:
    """Prove that files can be made here, and that there is room for what they hold."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * 65536)
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _folder_sentence(folder: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"The disk of {folder} is full. Free {ROOM_BYTES // 1_000_000} MB or more, "
            "or use a folder on another disk: MEMWEB_DATA_DIR=/another/folder ./run"
        )
    return (
        f"The data folder {folder} cannot be written ({error.strerror}). Make it writable for this user, "
        "or use another: MEMWEB_DATA_DIR=/another/folder ./run"
    )


def try_port() -> None:
    """Raises NotReady when the server would not get its address and port."""
    host, port = settings.HOST, settings.PORT
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        raise NotReady(_port_sentence(host, port, error)) from error
    except OverflowError as error:
        raise NotReady(f"{port} is not a port. Choose one from 1 to 65535: MEMWEB_PORT=8000 ./run") from error


def _port_sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use by another program. Stop that program, "
            f"or choose another port: MEMWEB_PORT={port + 1} ./run"
        )
    if error.errno == errno.EACCES:
        return f"This user may not open port {port}. Choose one above 1023: MEMWEB_PORT=8000 ./run"
    return (
        f"This machine has no address {host} to listen on ({error.strerror}). "
        "Set MEMWEB_HOST to one of its own, or leave it out."
    )
