"""The command ``gradlab`` as students have it."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from gradlab.data.cifar10 import CIFAR10
from gradlab.data.fashion_mnist import FASHION_MNIST
from gradlab.data.source import VARIABLE, folder_of
from gradlab.errors import DataError

__all__ = ["main"]

_STAFF_ONLY = ("audit", "demo", "grade", "new", "record", "release")


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code: 0 done, 1 something failed, 2 wrong usage."""
    if arguments and arguments[0] in _STAFF_ONLY:
        sys.stderr.write(
            f"gradlab: expected a command for students, got {arguments[0]}, which the staff of a course use. "
            "To see how your solution fares, run the check cell below it.\n"
        )
        return 2
    asked = _parser().parse_args(arguments)
    return _data(download=asked.download)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradlab",
        description="What a student needs besides the notebook. Solve its cells, and run the check below each.",
        epilog="Exit codes: 0 done, 1 something failed, 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"gradlab, version {version('gradlab')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    data = commands.add_parser(
        "data",
        help="say which pictures your notebooks load, and download the real ones",
        description="Say, for each data set, where your notebooks take it from.",
        epilog="Example: gradlab data --download",
    )
    data.add_argument("--download", action="store_true", help="download what is in no folder yet (about 200 MB in all)")
    return parser


def _data(*, download: bool) -> int:
    """Print where each data set comes from; return 1 where a folder is not what it should be or a download failed."""
    failed = False
    for data_set in (CIFAR10, FASHION_MNIST):
        try:
            folder = folder_of(data_set, None, download)
        except DataError as error:
            failed = True
            sys.stderr.write(f"gradlab: {error}\n")
            continue
        where = folder or "synthetic pictures. For the real ones: gradlab data --download"
        sys.stdout.write(f"{data_set.name}: {where}\n")
        if folder and download and not os.environ.get(VARIABLE):
            sys.stdout.write(f"    Before you start Jupyter, set {VARIABLE}={folder.parent}\n")
    return 1 if failed else 0
