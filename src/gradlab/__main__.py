"""``python -m gradlab``, and the command ``gradlab``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; without the staff's packages, say how to get them."""
    try:
        from gradlab.cli import main as run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"gradlab: expected the package {error.name}, got none. Run: pip install 'gradlab[staff]'")
    run(prog_name="gradlab")


if __name__ == "__main__":
    main()
