"""Trains the ensemble on the Ray cluster that runs this job. Takes the flags of `digits-ray run`.

ray job submit --working-dir . --runtime-env jobs/runtime_env.yaml -- \
    python jobs/ensemble.py --train s3://bucket/train.csv.gz --members 20 --out s3://bucket/runs/first

On GPUs: --set members.recipe.backend=jax, and JAX with CUDA among the packages of the runtime environment.
"""

import sys

from digits_ray.cli.main import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
