"""The command ``gradlab`` in a student's installation."""

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
            f"gradlab: expected a command for students, got {arguments[0]}, which is for the course's staff. "
            "To check your solution, run the check cell below it.\n"
        )
        return 2
    asked = _parser().parse_args(arguments)
    return _data(download=asked.download)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradlab",
        description="Tools for students. The exercises are in the notebook: solve its cells, run the check below each.",
        epilog="Exit codes: 0 done, 1 something failed, 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"gradlab, version {version('gradlab')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    data = commands.add_parser(
        "data",
        help="show where your notebooks load their images from, and download the real data sets",
        description="Show, for each data set, where your notebooks load it from.",
        epilog="Example: gradlab data --download",
    )
    data.add_argument("--download", action="store_true", help="download the data sets that are missing (about 200 MB)")
    return parser


def _data(*, download: bool) -> int:
    """Print where each data set comes from; return 1 if a folder lacks the data set or a download failed, else 0."""
    failed = False
    for data_set in (CIFAR10, FASHION_MNIST):
        try:
            folder = folder_of(data_set, None, download)
        except DataError as error:
            failed = True
            sys.stderr.write(f"gradlab: {error}\n")
            continue
        where = folder or "synthetic data. To load the real images, run: gradlab data --download"
        sys.stdout.write(f"{data_set.name}: {where}\n")
        if folder and download and not os.environ.get(VARIABLE):
            sys.stdout.write(f"    Before you start Jupyter, set {VARIABLE}={folder.parent}\n")
    return 1 if failed else 0
