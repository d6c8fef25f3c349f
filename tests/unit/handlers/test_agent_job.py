"""What agents of each kind run in, what they may reach, and how their ends are read."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.handlers.world import World, live, operator

from reprise.adapters.kube import Json
from reprise.agents import ending
from reprise.agents.command import wrapper
from reprise.domain import errors, model_endpoint, redaction
from reprise.domain.attempt import Job, JobState
from reprise.domain.run_status import Phase
from reprise.handlers import agent_job
from reprise.handlers.agent_secrets import TRAJECTORY_KEY
from reprise.handlers.runtime import Runtime

ROOT = Path(__file__).parents[3]
SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "vllm", "namespace": "llm"},
    "spec": {
        "clusterIP": "10.96.7.7",
        "selector": {"app": "vllm"},
        "ports": [{"port": 80, "targetPort": "http"}],
    },
}
MODEL = {"endpoint": "https://models.example.com/v1", "name": "m"}
KEYED = {**MODEL, "secretRef": {"name": "model", "key": "api-key"}}
STIRRUP = {"kind": "stirrup", "model": KEYED, "env": [{"name": "MODEL_CONTEXT_TOKENS", "value": "9"}]}
COMMAND = {
    "kind": "command",
    "image": "me/agent:1",
    "command": ["my-agent", "--prompt-file", "/tmp/task.txt"],
    "secretRef": {"name": "mine"},
    "model": MODEL,
    "answerFile": "/tmp/out/answer.json",
}
SCRIPTED = {"kind": "scripted", "secretRef": {"name": "recorded"}}


def secret(name: str, **data: str) -> Json:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}


def a_world(*objects: Json) -> World:
    world = World()
    world.submits = False
    for item in (
        SERVICE,
        secret("model", **{"api-key": "c2st"}),
        secret("mine", OPENAI_API_KEY="c2st"),
        secret("recorded", **{TRAJECTORY_KEY: "e30K"}),
        *objects,
    ):
        world.store(item)
    return world


def resolving(world: World, *addresses: str) -> Runtime:
    runtime = operator(world)

    async def resolve(host: str) -> tuple[str, ...]:
        return addresses

    runtime.resolve = resolve
    return runtime


async def started(agent: dict[str, Any], *addresses: str, objects: tuple[Json, ...] = ()) -> World:
    """A run whose agents have been started and have not come yet."""
    world = a_world(*objects)
    world.apply_run(agent=agent)
    await live(world, resolving(world, *(addresses or ("192.0.2.7",))), looks=25)
    assert world.run().status.phase is Phase.ATTEMPTING
    return world


def pod_of(world: World) -> Json:
    (job,) = world.of_kind("Job", "reprise-agents")
    found: Json = job["spec"]["template"]["spec"]
    return found


def env_of(pod: Json) -> dict[str, str]:
    return {item["name"]: item["value"] for item in pod["containers"][0]["env"]}


@pytest.mark.parametrize("agent", [{"kind": "triage"}, STIRRUP, COMMAND, SCRIPTED], ids=lambda a: a["kind"])
async def test_every_kind_is_confined(agent: dict[str, Any]) -> None:
    pod = pod_of(await started(agent))
    assert pod["automountServiceAccountToken"] is False
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    mounted = {item["name"] for c in pod["containers"] for item in c["volumeMounts"]}
    installed = {item["name"] for c in pod.get("initContainers", ()) for item in c["volumeMounts"]}
    assert mounted | installed == {item["name"] for item in pod["volumes"]}


async def test_stirrup_is_told_its_model_and_let_out_to_it() -> None:
    world = await started(STIRRUP, "192.0.2.9", "192.0.2.7", "2001:db8::1")
    pod = pod_of(world)
    (container,) = pod["containers"]
    assert container["image"] == "reprise-agent-shell"
    assert (
        env_of(pod).items()
        >= {
            "MODEL_ENDPOINT": MODEL["endpoint"],
            "MODEL_NAME": "m",
            "MODEL_KEY_FILE": "/var/run/agent/model-key",
            "MODEL_CONTEXT_TOKENS": "9",
        }.items()
    )
    (access,) = world.of_kind("Secret", "reprise-agents")
    assert set(access["data"]) == {"kubeconfig", "token", "ca.crt", "model-key"}
    assert [item for item in pod["hostAliases"] if item["hostnames"] != ["gateway"]] == [
        {"ip": ip, "hostnames": ["models.example.com"]} for ip in ("192.0.2.7", "192.0.2.9", "2001:db8::1")
    ]
    (policy,) = world.of_kind("NetworkPolicy", "reprise-agents")
    assert policy["spec"]["egress"] == [
        {
            "to": [
                {"ipBlock": {"cidr": cidr}} for cidr in ("192.0.2.7/32", "192.0.2.9/32", "2001:db8::1/128")
            ],
            "ports": [{"protocol": "TCP", "port": 443}],
        }
    ]
    (job,) = world.of_kind("Job", "reprise-agents")
    labels = job["spec"]["template"]["metadata"]["labels"].items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels


async def test_a_model_in_the_cluster_is_reached_by_its_pods() -> None:
    agent = {**STIRRUP, "model": {"endpoint": "http://vllm.llm.svc.cluster.local/v1", "name": "m"}}
    world = await started(agent, "10.96.7.7")
    (policy,) = world.of_kind("NetworkPolicy", "reprise-agents")
    assert policy["spec"]["egress"] == [
        {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "llm"}},
                    "podSelector": {"matchLabels": {"app": "vllm"}},
                }
            ],
            "ports": [{"protocol": "TCP", "port": "http"}],
        }
    ]
    assert {"ip": "10.96.7.7", "hostnames": ["vllm.llm.svc.cluster.local"]} in pod_of(world)["hostAliases"]
    assert "MODEL_KEY_FILE" not in env_of(pod_of(world))


async def test_an_unknown_name_opens_nothing_and_the_agent_finds_out() -> None:
    world = a_world()
    world.apply_run(agent=STIRRUP)
    await live(world, resolving(world), looks=25)
    assert world.of_kind("NetworkPolicy", "reprise-agents") == []
    assert [item["hostnames"] for item in pod_of(world)["hostAliases"]] == [["gateway"]]


async def test_a_command_runs_in_the_user_s_image_below_the_wrapper() -> None:
    world = await started(COMMAND)
    pod = pod_of(world)
    (container,), (installer,) = pod["containers"], pod["initContainers"]
    assert container["image"] == "me/agent:1"
    assert container["command"] == [
        "python3", "/opt/wrapper/wrapper.py", "--seconds", "585", "--answer", "/tmp/out/answer.json",
        "--", "my-agent", "--prompt-file", "/tmp/task.txt",
    ]  # fmt: skip
    assert (installer["image"], installer["command"][-2:]) == ("agent", ["--install", "/opt/wrapper"])
    assert installer["resources"]["requests"] == container["resources"]["requests"], "what it asks for counts"
    (reference,) = container["envFrom"]
    named = {item["metadata"]["name"]: item for item in world.of_kind("Secret", "reprise-agents")}
    assert set(named[reference["secretRef"]["name"]]["data"]) == {"OPENAI_API_KEY"}
    assert {"name": "secret", "mountPath": env_of(pod)["SECRET_DIR"], "readOnly": True} in container[
        "volumeMounts"
    ]


async def test_what_a_command_is_given_is_not_expanded() -> None:
    """`$$` and `$(NAME)` mean something to Kubernetes; a `$` before a `$` is how it is told to leave them."""
    script = "echo $$ $(HOME) $HOME $(date)"
    agent = {**COMMAND, "command": ["sh", "-c", script], "env": [{"name": "PROMPT", "value": script}]}
    pod = pod_of(await started(agent))
    escaped = "echo $$$$ $$(HOME) $$HOME $$(date)"
    assert pod["containers"][0]["command"][-1] == env_of(pod)["PROMPT"] == escaped


async def test_a_trajectory_is_mounted() -> None:
    world = await started(SCRIPTED)
    pod = pod_of(world)
    path = Path(env_of(pod)["TRAJECTORY_FILE"])
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == str(path.parent)]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    named = {item["metadata"]["name"]: item for item in world.of_kind("Secret", "reprise-agents")}
    assert path.name in named[volume["secret"]["secretName"]]["data"]
    assert "envFrom" not in pod["containers"][0]


OPERATOR: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "operator", "namespace": "reprise-system"},
    "spec": {
        "template": {"spec": {"volumes": [{"name": "data", "hostPath": {"path": "/volume/snapshots"}}]}}
    },
}


@pytest.mark.parametrize("agent", [STIRRUP, COMMAND], ids=lambda a: a["kind"])
async def test_a_snapshot_is_copied_before_the_agent_begins(agent: dict[str, Any]) -> None:
    world = a_world(OPERATOR)
    world.apply_run(agent={**agent, "mountSnapshot": True})
    await live(world, resolving(world, "192.0.2.7"), looks=25)
    pod = pod_of(world)
    (container,), installer = pod["containers"], pod["initContainers"][-1]
    mounts = {item["name"]: item for item in container["volumeMounts"]}
    assert mounts["snapshot"] == {
        "name": "snapshot",
        "mountPath": env_of(pod)["SNAPSHOT_DIR"],
        "readOnly": True,
    }
    # Where it comes from is seen by nobody but the installer.
    assert "source" not in mounts
    assert [(m["name"], m.get("readOnly", False)) for m in installer["volumeMounts"]] == [
        ("source", True), ("snapshot", False),
    ]  # fmt: skip
    (volume,), (claim,) = (
        world.of_kind("PersistentVolume"),
        world.of_kind("PersistentVolumeClaim", "reprise-agents"),
    )
    assert volume["spec"]["hostPath"]["path"].startswith("/volume/snapshots/")
    assert volume["spec"]["claimRef"]["name"] == claim["metadata"]["name"]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    # Other agents may list volumes: this one names what is hidden, and so is hidden.
    assert redaction.hides(redaction.View(world.now), "", "persistentvolumes", volume)


async def test_a_snapshot_is_let_go_with_its_run() -> None:
    world = a_world(OPERATOR)
    world.submits = True
    world.apply_run(agent={**STIRRUP, "mountSnapshot": True})
    runtime = resolving(world, "192.0.2.7")
    await live(world, runtime)
    world.delete_run()
    await live(world, runtime)
    assert world.of_kind("PersistentVolume") == []
    assert world.of_kind("PersistentVolumeClaim", "reprise-agents") == []


async def test_a_snapshot_that_cannot_be_mounted_is_said_before_anything_is_deployed() -> None:
    claimed: Json = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    operator_ = {**OPERATOR, "spec": {"template": {"spec": {"volumes": [claimed]}}}}
    world = a_world(operator_)
    world.apply_run(agent={**STIRRUP, "mountSnapshot": True})
    await live(world, resolving(world), looks=5)
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, "Unsupported")
    assert "found ['persistentVolumeClaim']" in status.message


async def test_nothing_is_left_when_the_attempt_is_judged() -> None:
    world = await started(COMMAND)
    world.submits = True
    await live(world, resolving(world, "192.0.2.7"))
    assert world.run().status.phase is Phase.COMPLETED
    assert world.of_kind("Secret", "reprise-agents") == []
    assert world.of_kind("NetworkPolicy", "reprise-agents") == []


@pytest.mark.parametrize(
    ("agent", "missing"),
    [
        ({**STIRRUP, "model": {**MODEL, "secretRef": {"name": "gone", "key": "k"}}}, "default/Secret/gone"),
        ({**STIRRUP, "model": {**MODEL, "secretRef": {"name": "model", "key": "k"}}}, "the key 'k'"),
        ({**COMMAND, "secretRef": {"name": "gone"}}, "default/Secret/gone"),
        ({**SCRIPTED, "secretRef": {"name": "mine"}}, f"the key '{TRAJECTORY_KEY}'"),
    ],
)
async def test_a_missing_secret_is_said_before_anything_is_deployed(
    agent: dict[str, Any], missing: str
) -> None:
    world = a_world()
    world.apply_run(agent=agent)
    await live(world, resolving(world), looks=5)
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, "NotFound")
    assert missing in status.message
    assert [item.phase for item in status.phases] == [Phase.PENDING, Phase.INVALID]


# -- ends -------------------------------------------------------------------------------------------


def a_pod(**container: Any) -> Json:
    return {"status": {"containerStatuses": [{"name": "agent", **container}]}}


def terminated(code: int, reason: str = "Error", message: str = "") -> Json:
    return a_pod(state={"terminated": {"exitCode": code, "reason": reason, "message": message}})


def a_job(kind: str = "", reason: str = "BackoffLimitExceeded") -> Json:
    conditions = [{"type": kind, "status": "True", "reason": reason}] if kind else []
    return {"status": {"conditions": conditions}}


WAITING = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "me/agent:1"'}
PULLING = 'ImagePullBackOff: Back-off pulling image "me/agent:1"'
INIT: Json = {
    "status": {
        "containerStatuses": [{"name": "agent", "state": {"waiting": {"reason": "PodInitializing"}}}],
        "initContainerStatuses": [{"name": "wrapper", "state": {"waiting": WAITING}}],
    }
}
ENDS: dict[str, tuple[Json, list[Json], Job]] = {
    "the endpoint is away": (
        a_job("Failed"), [terminated(75, message="model m at https://x: cannot be reached\n")],
        Job(JobState.FAILED, True, "exit code 75 (Error): model m at https://x: cannot be reached", True),
    ),
    "the agent failed": (
        a_job("Failed"), [terminated(1, message="no answer")],
        Job(JobState.FAILED, True, "exit code 1 (Error): no answer"),
    ),
    "out of memory": (
        a_job("Failed"), [terminated(137, "OOMKilled")],
        Job(JobState.FAILED, True, "exit code 137 (OOMKilled)"),
    ),
    "no python3 in the image": (
        a_job("Failed"), [terminated(128, "StartError", 'exec: "python3": executable file not found')],
        Job(JobState.FAILED, False, 'StartError: exec: "python3": executable file not found'),
    ),
    "no image": (a_job(), [a_pod(state={"waiting": WAITING})], Job(JobState.ACTIVE, False, PULLING)),
    "no image of the installer": (a_job(), [INIT], Job(JobState.ACTIVE, False, PULLING)),
    "works": (a_job(), [a_pod(state={"running": {}})], Job(JobState.ACTIVE, True)),
    "ended": (a_job("Complete"), [terminated(0, "Completed")], Job(JobState.SUCCEEDED, True)),
    "evicted": (a_job("Failed"), [{"status": {"reason": "Evicted"}}], Job(JobState.FAILED, False, "Evicted")),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
def test_how_it_ended(case: str) -> None:
    job, pods, expected = ENDS[case]
    assert agent_job.state_of(job, pods) == expected


def test_the_exit_code_is_the_same_on_both_sides() -> None:
    assert agent_job.INFRA_EXIT_CODE == ending.INFRA_FAILED == wrapper.INFRA_FAILED


# -- the way out ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "service"),
    [
        ("https://api.example.com/v1", "api.example.com", 443, None),
        ("http://10.0.0.7:8000", "10.0.0.7", 8000, None),
        ("http://[2001:db8::7]:8000/v1", "2001:db8::7", 8000, None),
        ("http://vllm.llm.svc:8000/v1", "vllm.llm.svc", 8000, ("llm", "vllm")),
        ("http://vllm.llm.svc.cluster.local./v1", "vllm.llm.svc.cluster.local.", 80, ("llm", "vllm")),
    ],
)
def test_endpoints(url: str, host: str, port: int, service: tuple[str, str] | None) -> None:
    found = model_endpoint.parse(url)
    assert (found.host, found.port, found.service) == (host, port, service)


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "https://", "https://me:key@x/v1", "http://x:99999", "http://x/?key=1"]
)
def test_bad_endpoints(url: str) -> None:
    with pytest.raises(errors.InvalidInput, match=r"agent\.model\.endpoint"):
        model_endpoint.parse(url)


def test_addresses_of_the_node_and_its_cloud_are_left_out() -> None:
    found = model_endpoint.reachable(
        ["127.0.0.1", "::1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "::", "224.0.0.1",
         "nonsense", "192.0.2.10", "192.0.2.9", "::ffff:192.0.2.9"]
    )  # fmt: skip
    assert found == ("192.0.2.9", "192.0.2.10")


def test_the_operator_may_make_what_agents_need() -> None:
    documents = list(yaml.safe_load_all((ROOT / "manifests" / "operator" / "rbac.yaml").read_text()))
    (role,) = [
        item for item in documents
        if item["kind"] == "Role" and item["metadata"]["namespace"] == "reprise-agents"
    ]  # fmt: skip
    allowed = {
        (resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    }
    kinds = ("jobs", "secrets", "networkpolicies", "persistentvolumeclaims")
    assert {(kind, verb) for kind in kinds for verb in ("list", "create", "delete")} <= allowed
