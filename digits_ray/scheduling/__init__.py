"""Ray: the session, what fits where, the queue of members and the actors that train them."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.scheduling.actor import ActorInputs
    from digits_ray.scheduling.autoscaler import AutoscalerRequest
    from digits_ray.scheduling.node_totals import NodeTotals
    from digits_ray.scheduling.planner import Replanner, first_plan, plan_cpu_fits, plan_on_live_nodes
    from digits_ray.scheduling.prediction import predict_on_cluster
    from digits_ray.scheduling.resources import Plan
    from digits_ray.scheduling.retries import RetryPolicy
    from digits_ray.scheduling.session import (
        cluster_address,
        in_job,
        live_nodes,
        live_nodes_by_id,
        log_folder,
        ray_session,
        run_while_head_lives,
    )
    from digits_ray.scheduling.signals import imports_uninterrupted
    from digits_ray.scheduling.stderr import captured_stderr, tolerated_warnings
    from digits_ray.scheduling.trainer import fit_members

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "actor": ["ActorInputs"],
        "autoscaler": ["AutoscalerRequest"],
        "node_totals": ["NodeTotals"],
        "planner": ["Replanner", "first_plan", "plan_cpu_fits", "plan_on_live_nodes"],
        "prediction": ["predict_on_cluster"],
        "resources": ["Plan"],
        "retries": ["RetryPolicy"],
        "session": [
            "cluster_address",
            "in_job",
            "log_folder",
            "live_nodes",
            "live_nodes_by_id",
            "ray_session",
            "run_while_head_lives",
        ],
        "signals": ["imports_uninterrupted"],
        "stderr": ["captured_stderr", "tolerated_warnings"],
        "trainer": ["fit_members"],
    },
)
