"""Files that are downloaded once, verified by their SHA-256 and kept in pooch's cache."""

import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from gradlab.errors import DataError

__all__ = ["Remote", "cache", "fetch", "unpack"]

LARGEST_BYTES = 64 * 2**20  # of one member of an archive: twice the size of the largest real one


@dataclass(frozen=True)
class Remote:
    """A file to download, and the hash that it must have."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.url.rsplit("/", 1)[-1]


def cache() -> Path:
    """Return the user's cache folder for downloads."""
    import pooch  # slow to import, and only a download needs it

    return Path(pooch.os_cache("gradlab"))


def fetch(remote: Remote, folder: Path) -> Path:
    """Return the path of the file in `folder`; download it with a progress bar if it is not there.

    Raises
    ------
    DataError
        If the download fails or the file has another hash.
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
    """Extract the named files from the archive into `folder`, and return `folder`; existing files are kept.

    Only regular files of these names are written, and each file completely or not at all: an archive cannot choose
    where it writes.

    Parameters
    ----------
    archive : path of a .tar.gz file
        Holds the files in a folder of the same name as `folder`.
    folder : path
    files : tuple of str
        Names of the files.

    Raises
    ------
    DataError
        If the archive is corrupt, lacks a file, or holds anything but a regular file of that name.
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
        raise tarfile.TarError(f"{member} of {info.size:,} bytes, not a regular file of at most {LARGEST_BYTES:,}")
    source = tar.extractfile(info)
    assert source is not None  # a regular member has content
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            shutil.copyfileobj(source, file)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
