"""Sees in a minute or two whether the cluster can run digits_ray: two small networks, one epoch, built-in digits.

ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml -- python jobs/smoke.py

Takes the flags of `digits-ray run` on top. Without --out, the results go to a new folder on the node of this process.
"""

import sys
import tempfile

from digits_ray.__main__ import main

if __name__ == "__main__":
    main(["run", "--preset", "smoke", "--out", tempfile.mkdtemp(prefix="digits-ray-smoke-"), *sys.argv[1:]])
