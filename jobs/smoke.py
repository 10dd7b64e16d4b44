"""Sees in a minute or two whether the cluster can run digits_ray: two small networks, one epoch, built-in digits.

ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml -- python jobs/smoke.py

Takes the flags of `digits-ray run` on top. Without --out, the results go to a new folder on the node of this process.
"""

import sys
import tempfile

from digits_ray.cli.main import main

if __name__ == "__main__":
    flags = sys.argv[1:]
    if not any(flag.startswith("--out") for flag in flags):
        flags += ["--out", tempfile.mkdtemp(prefix="digits-ray-smoke-")]
    main(["run", "--preset", "smoke", *flags])
