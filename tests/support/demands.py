"""What an autoscaler would be told to start nodes for; Ray counts it whether or not there is an autoscaler."""


def cpus_asked_for(gcs_address: str) -> dict[float, int]:
    """How many tasks and actors wait, by the CPUs that each wants."""
    from ray.autoscaler.v2.sdk import get_cluster_status

    demands = get_cluster_status(gcs_address).resource_demands.ray_task_actor_demand
    bundles = [bundle for demand in demands for bundle in demand.bundles_by_count]
    return {bundle.bundle["CPU"]: bundle.count for bundle in bundles if "CPU" in bundle.bundle}
