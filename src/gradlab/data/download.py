"""Genuine files, fetched once, checked by their SHA-256 and kept in pooch's cache."""

import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from gradlab.errors import DataError

__all__ = ["Remote", "cache", "fetch", "unpack"]

LARGEST_BYTES = 64 * 2**20  # of one member of an archive: twice the largest genuine one


@dataclass(frozen=True)
class Remote:
    """A file on the web."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


def cache() -> Path:
    """The user's folder for downloads."""
    import pooch  # slow to import, and only a download needs it

    return Path(pooch.os_cache("gradlab"))


def fetch(remote: Remote, folder: Path) -> Path:
    """The file's copy in `folder`, downloaded with a progress bar unless it is there already.

    Raises
    ------
    DataError
        When it cannot be fetched, or is not the file that we know.
    """
    import pooch  # slow to import, and only a download needs it

    try:
        file = pooch.retrieve(remote.url, f"sha256:{remote.sha256}", fname=remote.name, path=folder, progressbar=True)
    except (OSError, ValueError) as error:  # requests' exceptions are OSErrors, a wrong hash a ValueError
        raise DataError(
            f"{remote.url}: expected the file with SHA-256 {remote.sha256[:12]}…, got {error}. "
            f"Nothing was kept. Try again, or download it by hand, unpack it and pass data_dir="
        ) from error
    return Path(file)


def unpack(archive: Path, folder: Path, files: tuple[str, ...]) -> Path:
    """`folder`, with the named files of the archive's folder of that name; those already there stay.

    Only plain files of these names are written, each whole or not at all: an archive cannot choose where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [file for file in files if not (folder / file).exists()]
    if not missing:
        return folder
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for file in missing:
                _unpack_one(tar, f"{folder.name}/{file}", folder / file)
    except (KeyError, tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{archive}: expected an archive with {folder.name}/{', '.join(missing)}, got {error}. "
            f"Nothing was loaded. Delete it and download again"
        ) from error
    return folder


def _unpack_one(tar: tarfile.TarFile, member: str, target: Path) -> None:
    info = tar.getmember(member)
    if not info.isreg() or info.size > LARGEST_BYTES:
        raise tarfile.TarError(f"a member {member} of {info.size:,} bytes that is no plain file of its size")
    source = tar.extractfile(info)
    assert source is not None  # a regular member has content
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            shutil.copyfileobj(source, file)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
