"""Small files in the genuine formats, made up for the tests."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np

CIFAR_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def cifar_batch(count: int, seed: int = 0) -> dict[bytes, object]:
    """What one batch file holds."""
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        b"labels": rng.integers(10, size=count).tolist(),
        b"data": rng.integers(256, size=(count, 3072), dtype=np.uint8),
        b"filenames": [b"x.png"] * count,
    }


def make_cifar(root: Path, count: int = 4) -> Path:
    """A folder cifar-10-batches-py in `root`, with 5 x `count` training and `count` test images."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for seed, name in enumerate(CIFAR_FILES):
        (folder / name).write_bytes(pickle.dumps(cifar_batch(count, seed), protocol=2))
    return folder


def tar_cifar(folder: Path, target: Path) -> Path:
    """The folder as an archive like cifar-10-python.tar.gz."""
    with tarfile.open(target, "w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    return target


def idx(array: np.ndarray) -> bytes:
    """An IDX file's bytes, unpacked."""
    head = io.BytesIO()
    head.write(bytes([0, 0, 8, array.ndim]))
    for size in array.shape:
        head.write(size.to_bytes(4, "big"))
    return head.getvalue() + array.astype(np.uint8).tobytes()


def make_fashion(root: Path, train: int = 12, test: int = 5) -> Path:
    """A folder fashion-mnist in `root`."""
    folder = root / "fashion-mnist"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        pictures, labels = rng.integers(256, size=(count, 28, 28)), rng.integers(10, size=count)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL at which this computer serves the folder to itself."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
