"""Members per GPU, from 1 to 16, against images a second in all.

    python benchmarks/packing.py [--preset fast] [--packed 1 2 4 8 16] [--rows 37800] [--epochs 2]

For each number, so many members train at the same time on one GPU, each with its part of it, on made images of 28×28
pixels in 10 classes. A member's speed leaves its first batch out, which compiles; the speeds of those that train side
by side are summed. Without a GPU, Ray is told of one that is not there: the same way through the code, on the CPU, and
its figures say nothing of a GPU.
"""

import argparse
import tempfile
from dataclasses import replace

from training import made_rows

from digits_ray.config import MemberSpec, ResourcesConfig, loading
from digits_ray.data import Rows, put_dataset
from digits_ray.ensemble.predictions import MemberFailure, MemberResult
from digits_ray.scheduling import resources
from digits_ray.scheduling.session import live_nodes, ray_session
from digits_ray.storage.run_directory import RunDirectory
from digits_ray.storage.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--packed", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rows", type=int, default=37_800)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    args = parser.parse_args()
    members = loading.load_config(args.preset, flags={"data.train": "any.csv"}).members
    recipe = replace(members.recipe, epochs=args.epochs, min_steps=0, backend=args.backend)
    print("members  images/s in all  of one member  device, precision")
    for packed in args.packed:
        specs = [MemberSpec(number, members.architectures[0], number, 0, recipe) for number in range(packed)]
        results = train_together(specs, made_rows(args.rows))
        speeds = [result.images_per_second for result in results]
        where = f"{results[0].device}, {results[0].precision}"
        print(f"{packed:7}  {sum(speeds):15.0f}  {sum(speeds) / packed:13.0f}  {where}", flush=True)


def train_together(specs: list[MemberSpec], rows: Rows) -> list[MemberResult]:
    from digits_ray.scheduling.trainer import ActorInputs, RetryPolicy, fit_members

    with tempfile.TemporaryDirectory() as folder, ray_session(ResourcesConfig(), **pretended_gpus()):
        plan = resources.plan(live_nodes(), len(specs), 1 / len(specs), "auto")
        store = Store.at(folder)
        inputs = ActorInputs(put_dataset(rows), rows.num_classes, store, RunDirectory(store).write_probe())
        outcomes = list(fit_members(specs, inputs, lambda unfinished: plan, RetryPolicy(max_failures=1)))
    for outcome in outcomes:
        if isinstance(outcome, MemberFailure):
            raise SystemExit(f"{len(specs)} members do not fit: {outcome.error_type}: {outcome.message}")
    return [outcome for outcome in outcomes if isinstance(outcome, MemberResult)]


def pretended_gpus() -> dict[str, int]:
    """Returns what Ray is told to believe: a GPU, where it would find none."""
    from ray._private.accelerators import NvidiaGPUAcceleratorManager

    return {} if NvidiaGPUAcceleratorManager.get_current_node_num_accelerators() else {"num_gpus": 1}


if __name__ == "__main__":
    main()
