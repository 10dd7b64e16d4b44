"""`python -m digits_ray` is `digits-ray`."""

import sys
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    # With -m, Python looks into the working folder first: a random.py among the user's data must not be imported.
    with suppress(FileNotFoundError):  # that folder has been deleted, and nothing is looked for there
        if not sys.flags.safe_path and Path(sys.path[0]).resolve() == Path.cwd() != Path(__file__).resolve().parents[1]:
            del sys.path[0]
    from digits_ray.cli.entry import run

    run()
