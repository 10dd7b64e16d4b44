"""Searches the classical baselines on the Ray cluster that runs this job. Takes the flags of `digits-ray tune`.

ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml -- \
    python jobs/baselines.py --train s3://bucket/train.csv.gz --out s3://bucket/runs/first
"""

import sys

from digits_ray.cli.main import main

if __name__ == "__main__":
    main(["tune", *sys.argv[1:]])
