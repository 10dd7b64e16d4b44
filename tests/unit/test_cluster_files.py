"""The files of cluster/ hold together: schemas, versions, safety. Nothing here needs a cluster or a network."""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
DOCKERFILE = (CLUSTER / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LAUNCHED = ("aws.yaml", "gcp.yaml")  # by `ray up`


def read(name: str) -> Any:
    return yaml.safe_load((CLUSTER / name).read_text())


def pins() -> dict[str, str]:
    """The version of every package, by its normalised name."""
    lines = (CLUSTER / "constraints.txt").read_text().splitlines()
    named = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in named}


# KubeRay


@pytest.fixture(scope="module")
def kuberay() -> jsonschema.Draft202012Validator:
    schema = yaml.safe_load((Path(__file__).parent / "kuberay_schema.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def cluster() -> Any:
    return read("kuberay/raycluster.yaml")


@pytest.mark.parametrize("name", ["kuberay/raycluster.yaml", "kuberay/rayjob.yaml"])
def test_kuberay_resources_satisfy_the_schema(kuberay: jsonschema.Draft202012Validator, name: str) -> None:
    assert [error.message for error in kuberay.iter_errors(read(name))] == []


def misspell(spec: Any) -> None:
    spec["workerGroupSpecs"][0]["maxReplica"] = spec["workerGroupSpecs"][0].pop("maxReplicas")


def number_of_cpus(spec: Any) -> None:
    spec["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def loose_memory(spec: Any) -> None:
    spec["headGroupSpec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "8 GB"


def latest_image(spec: Any) -> None:
    spec["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] = "digits-ray:latest"


@pytest.mark.parametrize("spoil", [misspell, number_of_cpus, loose_memory, latest_image])
def test_the_schema_notices_a_mistake(
    kuberay: jsonschema.Draft202012Validator, cluster: Any, spoil: Callable[[Any], None]
) -> None:
    job = read("kuberay/rayjob.yaml")
    spoil(cluster["spec"])
    spoil(job["spec"]["rayClusterSpec"])
    assert not kuberay.is_valid(cluster)
    assert not kuberay.is_valid(job)


def test_the_job_runs_on_the_same_cluster(cluster: Any) -> None:
    assert read("kuberay/rayjob.yaml")["spec"]["rayClusterSpec"] == cluster["spec"]


def test_kuberay_asks_for_a_token_and_shows_nothing_to_the_world(cluster: Any) -> None:
    spec = cluster["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert "enableIngress" not in spec["headGroupSpec"]


def pods(cluster: Any) -> dict[str, Any]:
    groups = {group["groupName"]: group for group in cluster["spec"]["workerGroupSpecs"]}
    return {
        name: group["template"]["spec"] for name, group in {"head": cluster["spec"]["headGroupSpec"], **groups}.items()
    }


def test_every_pod_runs_as_the_user_of_the_image_without_privileges(cluster: Any) -> None:
    user = int(re.findall(r"^USER (\d+)$", DOCKERFILE, re.M)[-1])
    assert f"--uid {user} " in DOCKERFILE
    for pod in pods(cluster).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == user
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_the_head_may_speak_to_kubernetes(cluster: Any) -> None:
    open_to = [name for name, pod in pods(cluster).items() if pod.get("automountServiceAccountToken", True)]
    assert open_to == ["head"]  # its autoscaler makes and ends pods


def test_members_get_gpu_nodes_that_come_and_go_and_baselines_get_others(cluster: Any) -> None:
    groups = {group["groupName"]: group for group in cluster["spec"]["workerGroupSpecs"]}
    limits = {name: pod["containers"][0]["resources"]["limits"] for name, pod in pods(cluster).items()}
    assert {name for name, limit in limits.items() if "nvidia.com/gpu" in limit} == {"gpu"}
    assert cluster["spec"]["enableInTreeAutoscaling"] is True
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in groups.values():
        assert group["minReplicas"] <= group["replicas"] < group["maxReplicas"]


def test_what_a_pod_asks_for_is_what_it_may_use(cluster: Any) -> None:
    """Kubernetes refuses unequal GPUs; unequal memory gets members killed when the machine is full."""
    for pod in pods(cluster).values():
        for container in pod["containers"]:
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_the_entrypoint_of_the_job_is_a_script_of_the_image_with_flags_that_exist() -> None:
    from digits_ray.cli.commands import cli

    python, script, *words = shlex.split(read("kuberay/rayjob.yaml")["spec"]["entrypoint"])
    known = {option for parameter in cli.commands["run"].params for option in parameter.opts}
    assert python == "python"
    assert (ROOT / Path(script).relative_to("/opt/digits-ray")).is_file()
    assert {word for word in words if word.startswith("--")} <= known
    assert words[words.index("--out") + 1].startswith("s3://")


# ray up


@pytest.fixture(params=LAUNCHED)
def launched(request: pytest.FixtureRequest) -> Any:
    """The configuration as `ray up` completes and checks it."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(read(request.param))
    validate_config(config)
    return config


def test_a_misspelt_key_is_refused_by_ray() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError, match="idle_timeout_minute"):
        validate_config(prepare_config(read("aws.yaml") | {"idle_timeout_minute": 5}))


def test_gpu_workers_are_spot_machines_that_come_and_go(launched: Any) -> None:
    workers = {name: kind for name, kind in launched["available_node_types"].items() if name != "head"}
    assert set(workers) == {"gpu", "cpu"}
    assert workers["gpu"]["resources"]["GPU"] == 1
    assert launched["idle_timeout_minutes"] <= 10
    assert sum(kind["max_workers"] for kind in workers.values()) <= launched["max_workers"]
    for kind in workers.values():
        config = kind["node_config"]
        spot = config.get("InstanceMarketOptions", {}).get("MarketType") or config["scheduling"]["provisioningModel"]
        assert spot.lower() == "spot"
        assert kind["min_workers"] < kind["max_workers"]


def test_launched_nodes_share_a_token_and_the_dashboard_stays_on_loopback(launched: Any) -> None:
    start = " ".join(launched["head_start_ray_commands"])
    assert "--env RAY_AUTH_MODE=token" in launched["docker"]["run_options"]
    assert launched["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in start
    assert "--num-cpus=0" in start


@pytest.mark.parametrize("name", LAUNCHED)
def test_no_port_is_opened_beyond_the_ssh_that_ray_needs(name: str) -> None:
    provider = read(name)["provider"]
    assert "IpPermissions" not in provider.get("security_group", {})
    assert "tags" not in str(read(name))  # of Google's firewall rules


def test_a_new_aws_security_group_lets_the_world_in_by_ssh_alone() -> None:
    """What Ray itself adds to the group of aws.yaml."""
    config = pytest.importorskip("ray.autoscaler._private.aws.config")
    rules = config._create_default_inbound_rules(["sg-own"], [])
    to_the_world = [rule for rule in rules if rule.get("IpRanges")]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in to_the_world] == [(22, 22)]
    assert all(rule["UserIdGroupPairs"] == [{"GroupId": "sg-own"}] for rule in rules if rule not in to_the_world)


# The backend on GPUs


@pytest.mark.parametrize("name", ["Dockerfile", *LAUNCHED])
def test_gpu_nodes_install_the_backend_that_was_measured_on_gpus(name: str) -> None:
    assert "cluster,jax-cuda" in (CLUSTER / name).read_text()


@pytest.mark.parametrize(
    "name", ["slurm.sbatch", "kuberay/raycluster.yaml", "kuberay/rayjob.yaml", "aws.yaml", "gcp.yaml"]
)
def test_runs_on_gpu_nodes_are_shown_with_that_backend(name: str) -> None:
    assert "--set members.recipe.backend=jax" in (CLUSTER / name).read_text()


@pytest.mark.parametrize("name", ["runtime_env.yaml", "runtime_env_uv.yaml"])
def test_the_packages_of_a_job_s_gpu_nodes_are_those_of_the_extra(name: str) -> None:
    (extra,) = PROJECT["optional-dependencies"]["jax-cuda"]
    assert f'"{extra}"' in (ROOT / "jobs" / name).read_text()


# Versions


def test_every_file_names_the_same_ray() -> None:
    ray = pins()["ray"]
    kuberay = read("kuberay/raycluster.yaml")
    images = {container["image"] for pod in pods(kuberay).values() for container in pod["containers"]}
    assert kuberay["spec"]["rayVersion"] == ray
    assert images == {f"registry.example.com/digits-ray:{PROJECT['version']}-ray{ray}"}
    assert f"-t {images.pop()} ." in DOCKERFILE
    for name in LAUNCHED:
        assert read(name)["docker"]["image"].startswith(f"rayproject/ray:{ray}-py3")


def test_every_file_names_the_same_python() -> None:
    python = re.search(r"--python-version (\S+)", (CLUSTER / "constraints.txt").read_text())
    assert python is not None
    assert python[1] in str(PROJECT["requires-python"])
    assert f"FROM python:{python[1]}-slim" in DOCKERFILE
    for name in LAUNCHED:
        assert f"-py{python[1].replace('.', '')}" in read(name)["docker"]["image"]


def test_the_pins_satisfy_pyproject() -> None:
    extras = [needs for name, needs in PROJECT["optional-dependencies"].items() if name != "test"]
    wanted = [Requirement(text) for text in chain(PROJECT["dependencies"], *extras)]
    found = pins()
    versions = {need: found.get(canonicalize_name(need.name), "0") for need in wanted}
    unpinned = [str(need) for need, version in versions.items() if not need.specifier.contains(version)]
    assert unpinned == []


# Dockerfile and scripts


def instructions() -> list[list[str]]:
    """The Dockerfile's instructions as words, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
    return [line.split() for line in joined.splitlines() if line.strip()]


def test_everything_that_the_image_copies_exists_and_is_let_through() -> None:
    allowed = {line[1:] for line in (CLUSTER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    sources = {word for words in instructions() if words[0] == "COPY" for word in words[1:-1]}
    assert sources == allowed
    assert [name for name in sorted(sources) if not (ROOT / name).exists()] == []


def test_the_image_installs_pinned_packages_with_extras_that_exist() -> None:
    install = next(" ".join(words) for words in instructions() if "pip" in words)
    extras = next(words[1] for words in instructions() if words[0] == "ARG").removeprefix("EXTRAS=").split(",")
    assert "--constraint cluster/constraints.txt" in install
    assert set(extras) <= set(PROJECT["optional-dependencies"])


def test_the_image_runs_as_nobody_special_and_carries_no_secret() -> None:
    assert [words[1] for words in instructions() if words[0] == "USER"] == ["1000"]
    assert "RAY_AUTH_MODE=token" in DOCKERFILE
    named = [word for words in instructions() if words[0] in ("ENV", "ARG") for word in words[1:]]
    assert [word for word in named if re.search("TOKEN|SECRET|PASSWORD|_KEY", word)] == []


@pytest.mark.parametrize("name", ["local.sh", "slurm.sbatch"])
def test_scripts_are_sound_bash(name: str) -> None:
    path = str(CLUSTER / name)
    checks = [["bash", "-n", path]] + ([["shellcheck", path]] if shutil.which("shellcheck") else [])
    for check in checks:
        checked = subprocess.run(check, capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", ["local.sh", "slurm.sbatch"])
def test_scripts_make_a_token_keep_the_dashboard_at_home_and_end_no_other_ray(name: str) -> None:
    commands = re.sub(r"^\s*#.*$", "", (CLUSTER / name).read_text(), flags=re.M)
    assert "RAY_AUTH_MODE=token" in commands
    assert "--dashboard-host=127.0.0.1" in commands
    assert not re.search(r"ray stop|pkill|killall", commands)
