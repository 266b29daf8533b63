"""``python -m gradlab`` and the command ``gradlab``: the staff's commands if they are installed, else the student's."""

import importlib.util
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    if importlib.util.find_spec("gradlab_staff") is None:
        from gradlab.command import main as run_as_student

        sys.exit(run_as_student(sys.argv[1:]))
    try:
        from gradlab_staff.cli import main as run_as_staff
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"gradlab: expected {error.name}, which gradlab-staff requires, got none. Reinstall gradlab-staff.")
    run_as_staff(prog_name="gradlab")


if __name__ == "__main__":
    main()
