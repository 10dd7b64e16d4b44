"""The command `ray`, for nodes that all live on this machine and listen on 127.0.0.1 alone.

`ray start --node-ip-address=127.0.0.1` puts the machine's own address in place of what it was given, and a node of any
other address than 127.0.0.1 listens on every interface: its GCS, its raylets, its agents. Ray's switch for the address
that a laptop wants (RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0) forbids workers. So `ray start` is told both here: that
the address is 127.0.0.1 and that workers are fine; what the node starts, drivers of jobs too, finds the switch set.
"""

import os

from ray._private import ray_constants, services
from ray.scripts.scripts import main

if __name__ == "__main__":
    ray_constants.ENABLE_RAY_CLUSTER = True
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    services.get_node_ip_address = lambda address=None: "127.0.0.1"
    main()
