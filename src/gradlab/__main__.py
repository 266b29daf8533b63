__all__ = ["main"]


def main() -> None: ...
