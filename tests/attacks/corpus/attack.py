"""What an attack is, and what attackers share."""

# Code in strings, a line of it a line here.

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from target import NAME, SOLVED, WRONG, notebook

__all__ = ["HOST", "SEARCH", "TELLS", "Attack", "answers", "calls", "does", "reads"]


def _nothing(folder: Path) -> None:
    pass


@dataclass(frozen=True)
class Attack:
    """An attack: what it tries, and the code that does. What is not given is wrong code, which earns nothing."""

    name: str
    tries: str
    prelude: str = ""
    scale: str = WRONG["scale"]
    model: str = WRONG["model"]
    train: str = WRONG["train"]
    solved: bool = False
    """Whether the solutions are right: then the attack is after something else than points."""
    finish: Callable[[dict[str, Any]], Any] = lambda content: content
    """Changes the notebook, or gives the text of a file that is none."""
    place: Callable[[Path], None] = _nothing
    """Puts more into the folder of the submission."""
    folder: str = ""
    """The student's name, where that is part of the attack."""
    kind: str = ""

    @property
    def student(self) -> str:
        return self.folder or f"mallory_{self.name}"

    def hand_in(self, folder: Path) -> None:
        """Write the submission."""
        solutions = SOLVED if self.solved else {"scale": self.scale, "model": self.model, "train": self.train}
        content = self.finish(notebook(solutions, self.prelude))
        folder.mkdir(parents=True)
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / f"{NAME}.ipynb").write_text(text)
        self.place(folder)


# What attackers share: a search for secrets, and ways to the host's own objects.
SEARCH = r"""
import gc, glob, os, re, sys
WANTED = re.compile(b"can" + rb"ary-[a-z]+-[0-9a-f]{16}")
def search(paths):
    found, errors = set(), 0
    for path in list(paths)[:5000]:
        try:
            with open(path, "rb") as file:
                found |= set(WANTED.findall(file.read(1 << 20)))
        except OSError:
            errors += 1
    return f"{sorted(found)} {errors} closed"
def tell(what):
    raise ValueError(str(what)[:1500])
"""
HOST = r"""
import gc, struct, sys, threading, time
from gradlab_host.codec import msgpack  # which is off the path
def the_host():
    return next(thing for thing in gc.get_objects() if type(thing).__name__ == "Host")
def the_socket():
    return the_host().connection
def frame(tree, buffers=b""):
    packed = msgpack.packb(tree)
    return struct.pack("<QQ", len(packed), len(buffers)) + packed + buffers
def D(**fields):
    return ["d", *(part for item in fields.items() for part in item)]
def own_receive():
    import socket
    n, m = struct.unpack("<QQ", the_socket().recv(16, socket.MSG_WAITALL))
    tree = the_socket().recv(n, socket.MSG_WAITALL) if n else b""
    if m: the_socket().recv(m, socket.MSG_WAITALL)
    return tree
"""
TELLS = "def scale(x):\n    tell({what})\n"


def reads(name: str, tries: str, what: str, prelude: str = "") -> Attack:
    """An attack that searches for secrets and tells what it found in its exceptions and return values."""
    told = f"(lambda: {what})()"
    return Attack(
        name,
        tries,
        SEARCH + prelude,
        scale=TELLS.format(what=told),
        model=f"class Model:\n    def __init__(self, n):\n        self.params = {{str({told}): np.ones(n)}}\n"
        f"    def loss(self, X):\n        return str({told})\n",
        train=f"def train(n, data, steps):\n    print({told})\n    return {told}, {told}\n",
    )


def answers(name: str, tries: str, value: str, prelude: str = "") -> Attack:
    """An attack that gives the same odd value for everything that it is asked."""
    return Attack(
        name,
        tries,
        prelude,
        scale=f"def scale(x):\n    return {value}\n",
        model=f"class Model:\n    def __init__(self, n):\n        self.params = {value}\n"
        f"    def loss(self, X):\n        return {value}\n",
        train=f"def train(n, data, steps):\n    return {value}, {value}\n",
    )


def does(name: str, tries: str, act: str, prelude: str = "", **more: Any) -> Attack:
    """An attack that acts when `scale` is called."""
    body = "".join(f"    {line}\n" for line in act.strip().split("\n"))
    return Attack(name, tries, prelude, scale=f"def scale(x):\n{body}    return 0 * x\n", **more)


def calls(name: str, tries: str, act: str, prelude: str = "") -> Attack:
    """An attack on the trusted side through the stand-ins of `train`: `scale` and `Model`."""
    body = "".join(f"    {line}\n" for line in act.strip().split("\n"))
    return Attack(name, tries, prelude, train=f"def train(n, data, steps):\n{body}    return Model(n), []\n")
