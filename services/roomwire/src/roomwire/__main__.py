"""`python -m roomwire`: the command `roomwire`."""

import sys


def main() -> int:
    """Run the command line, and return the exit status. Only this function imports it, because a program that only emits needs none."""
    try:
        from roomwire.app.commands.line import run_command  # noqa: PLC0415 - as the docstring says

        # It imports the packages of the requested command only.
        return run_command()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "roomwire":
            raise
        print(f"roomwire: {error.name} is not installed: pip install 'roomwire[service]'", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
