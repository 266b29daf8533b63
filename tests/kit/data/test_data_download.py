"""Downloads, from a server on this computer: checked, cached, unpacked safely."""

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
from genuine_format import make_cifar, make_fashion, served, tar_cifar

from gradlab.data import cifar10, fashion_mnist, get_CIFAR10_data, get_FashionMNIST_data
from gradlab.data.download import Remote
from gradlab.errors import DataError


def sha256(file: Path) -> str:
    """The file's SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def offer(monkeypatch: pytest.MonkeyPatch, url: str, archive: Path) -> None:
    """Let the loader know this archive, in the place of CIFAR-10's."""
    monkeypatch.setattr(cifar10, "ARCHIVE", Remote(f"{url}/{archive.name}", sha256(archive)))


def test_cifar10_is_downloaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The second call needs neither the server nor synthetic pictures; a file that was deleted comes back."""
    archive = tar_cifar(make_cifar(tmp_path / "made"), tmp_path / "cifar-10-python.tar.gz")
    with served(tmp_path) as url:
        offer(monkeypatch, url, archive)
        data = get_CIFAR10_data(12, 4, 4, download=True)
    cached = tmp_path / "cache" / "gradlab" / "cifar-10-batches-py"
    (cached / "data_batch_2").unlink()
    again = get_CIFAR10_data(12, 4, 4, download=True)
    assert (data["X_train"] == again["X_train"]).all()
    assert "Synthetic" not in capsys.readouterr().out


def test_a_folder_spares_the_download(tmp_path: Path) -> None:
    """With data_dir at hand, download=True fetches nothing."""
    make_cifar(tmp_path)
    get_CIFAR10_data(12, 4, 4, data_dir=tmp_path, download=True)
    assert not (tmp_path / "cache").exists()


def test_download_fills_in_for_a_folder_without_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRADLAB_DATA may hold other data sets only."""
    archive = tar_cifar(make_cifar(tmp_path / "made"), tmp_path / "cifar-10-python.tar.gz")
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path / "nowhere"))
    with served(tmp_path) as url:
        offer(monkeypatch, url, archive)
        assert len(get_CIFAR10_data(12, 4, 4, download=True)["y_train"]) == 12


def test_another_file_than_the_genuine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong SHA-256 is an error and leaves nothing behind."""
    archive = tar_cifar(make_cifar(tmp_path / "made"), tmp_path / "cifar-10-python.tar.gz")
    with served(tmp_path) as url:
        monkeypatch.setattr(cifar10, "ARCHIVE", Remote(f"{url}/{archive.name}", "0" * 64))
        with pytest.raises(DataError, match=r"tar\.gz: expected the file with SHA-256 0{12}…, got .*Nothing was kept"):
            get_CIFAR10_data(12, 4, 4, download=True)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_no_server_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, and a server that is not there, are DataErrors with a remedy."""
    (tmp_path / "empty").mkdir()
    with served(tmp_path / "empty") as url:
        monkeypatch.setattr(cifar10, "ARCHIVE", Remote(f"{url}/nothing.tar.gz", "0" * 64))
        with pytest.raises(DataError, match=r"404.*download it by hand, unpack it and pass data_dir="):
            get_CIFAR10_data(download=True)
    with pytest.raises(DataError, match=r"nothing\.tar\.gz: expected the file"):
        get_CIFAR10_data(download=True)


def write_tar(target: Path, members: dict[str, tarfile.TarInfo]) -> Path:
    """An archive of the given members, each of 4 zero bytes where it is a file."""
    with tarfile.open(target, "w:gz") as tar:
        for name, info in members.items():
            info.name, info.size = name, 4 if info.isreg() else 0
            tar.addfile(info, io.BytesIO(b"\0" * 4))
    return target


def link(to: str) -> tarfile.TarInfo:
    """A symbolic link as an archive's member."""
    info = tarfile.TarInfo()
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


def test_an_archive_cannot_choose_where_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links and paths that lead out of the folder are not followed, whatever the hash says."""
    (tmp_path / "secret").write_text("secret")
    members = {
        "../../../outside": tarfile.TarInfo(),
        "cifar-10-batches-py/data_batch_1": link(str(tmp_path / "secret")),
    }
    archive = write_tar(tmp_path / "bad.tar.gz", members)
    with served(tmp_path) as url:
        offer(monkeypatch, url, archive)
        with pytest.raises(DataError, match=r"bad\.tar\.gz: expected an archive with .*data_batch_1.*not a regular"):
            get_CIFAR10_data(download=True)
    assert not list(tmp_path.rglob("outside"))
    assert not list((tmp_path / "cache").rglob("data_batch_1"))


@pytest.mark.parametrize("content", ["no archive", "an empty archive"])
def test_an_archive_without_the_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """The error names the archive and the file that it should hold."""
    archive = write_tar(tmp_path / "bad.tar.gz", {})
    if content == "no archive":
        archive.write_bytes(b"no archive")
    with served(tmp_path) as url:
        offer(monkeypatch, url, archive)
        with pytest.raises(DataError, match=r"bad\.tar\.gz: expected an archive with cifar-10-batches-py/data_batch_1"):
            get_CIFAR10_data(download=True)


def test_fashion_mnist_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four files, kept; a kept file that was damaged is fetched again."""
    made = make_fashion(tmp_path / "made")
    with served(made) as url:
        remotes = tuple(Remote(f"{url}/{r.name}", sha256(made / r.name)) for r in fashion_mnist.REMOTES)
        monkeypatch.setattr(fashion_mnist, "REMOTES", remotes)
        data = get_FashionMNIST_data(download=True)
        damaged = tmp_path / "cache" / "gradlab" / "fashion-mnist" / remotes[1].name
        damaged.write_bytes(b"damaged")
        get_FashionMNIST_data(download=True)
    shutil.rmtree(made)
    assert (get_FashionMNIST_data(download=True)["X_train"] == data["X_train"]).all()


def test_the_known_hash_is_that_of_the_genuine_files(genuine_data: Path) -> None:
    """The genuine Fashion-MNIST files at hand are the ones that a download expects."""
    for remote in fashion_mnist.REMOTES:
        assert sha256(genuine_data / "fashion-mnist" / remote.name) == remote.sha256
