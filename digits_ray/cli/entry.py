"""Where a command begins and ends, whatever its process holds: threads, libraries in C++, a late signal."""

import atexit
import os
from collections.abc import Callable
from typing import NoReturn

from digits_ray.errors import ExitCode


def run() -> NoReturn:
    """Runs what the user typed and ends the process."""
    end_with_code_of(_main)


def end_with_code_of(command: Callable[[], None]) -> NoReturn:
    """Runs a command and ends the process with its exit code as soon as the functions for its exit have run.

    What Python does after these gives a late Ctrl-C a code of its own, and destructors of libraries may wait for ever.

    Args:
        command: Exits, as `main` does.
    """
    code: int = ExitCode.FAULT  # of an error that Python prints

    def end() -> None:
        from digits_ray.cli.streams import discard_unwritable

        discard_unwritable()
        os._exit(code)

    atexit.register(end)  # the first to be registered is the last to be called
    try:
        command()
        code = ExitCode.DONE
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else code
    except KeyboardInterrupt:  # while libraries are imported, or after the command's end
        code = ExitCode.INTERRUPTED
    raise SystemExit(code)


def _main() -> None:
    from digits_ray.cli.main import main

    main()
