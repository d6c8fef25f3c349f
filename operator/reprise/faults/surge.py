"""A client of the API server that lists far more often than anybody needs."""

from dataclasses import dataclass

from reprise.domain.mutation import Create
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import MetricSymptom, Symptom
from reprise.faults import created, seeded
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

# A machine of two cores must survive it: the rate is bounded, and the client is throttled by its limit.
_MOST_PER_SECOND = 200
_NAMES = ("inventory-sync", "pod-inventory", "topology-exporter", "usage-collector", "asset-sync")
_RESOURCES: Json = {
    "requests": {"cpu": "10m", "memory": "48Mi"},
    "limits": {"cpu": "400m", "memory": "96Mi"},
}
_CLIENT = """\
import http.client, os, ssl, time

account = "/var/run/secrets/kubernetes.io/serviceaccount/"
host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
trust = ssl.create_default_context(cafile=account + "ca.crt")
namespace = open(account + "namespace").read()
interval = 1 / float(os.environ["SYNC_PER_SECOND"])
connection = None
while True:
    began = time.monotonic()
    try:
        connection = connection or http.client.HTTPSConnection(host, port, context=trust, timeout=10)
        headers = {"authorization": "Bearer " + open(account + "token").read()}
        connection.request("GET", f"/api/v1/namespaces/{namespace}/pods", headers=headers)
        size = len(connection.getresponse().read())
    except OSError as error:
        print("sync:", error, flush=True)
        connection = None
        time.sleep(1)
    time.sleep(max(0.0, began + interval - time.monotonic()))
"""


@dataclass(frozen=True)
class SurgeParameters:
    """requests_per_second: how often each replica lists the namespace's pods, 200 at most.
    replicas: how many do, 4 at most. name: the Deployment's; a plausible one by default.
    image: what it runs, an image with Python; the target's by default."""

    requests_per_second: int = 100
    replicas: int = 1
    name: str | None = None
    image: str | None = None

    def problems(self) -> list[str]:
        found = []
        if not 1 <= self.requests_per_second <= _MOST_PER_SECOND:
            found.append(
                f"requests_per_second: expected 1 to {_MOST_PER_SECOND}, found {self.requests_per_second}"
            )
        if not 1 <= self.replicas <= 4:
            found.append(f"replicas: expected 1 to 4, found {self.replicas}")
        return found


def _plan(target: str, params: SurgeParameters, seed: int, observed: Observed) -> Injection:
    like = observed.get("Deployment", target)
    name = params.name or seeded.pick(
        seeded.chooser(seed, SURGE.name, target),
        _NAMES,
        created.taken(observed),
        "name for a Deployment",
    )
    ref = observed.ref("Deployment", name)
    account, role, binding = (observed.ref(kind, name) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    metadata = {"name": name, "namespace": ref.namespace}
    group = role.api_version.partition("/")[0]
    manifests: list[Json] = [
        {"apiVersion": account.api_version, "kind": account.kind, "metadata": metadata},
        {
            "apiVersion": role.api_version,
            "kind": role.kind,
            "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
        {
            "apiVersion": binding.api_version,
            "kind": binding.kind,
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": role.kind, "name": name},
            "subjects": [{"kind": account.kind, "name": name, "namespace": ref.namespace}],
        },
        created.deployment(
            ref,
            like,
            ["python3", "-c", _CLIENT],
            resources=_RESOURCES,
            image=params.image,
            environment={"SYNC_PER_SECOND": str(params.requests_per_second)},
            replicas=params.replicas,
            pod={"serviceAccountName": name},
        ),
    ]
    return Injection(
        mutations=tuple(Create(manifest) for manifest in manifests),
        causes=(Cause(ref, owned=True),),
        settle=(WaitAvailable(ref),),
    )


def _cpu(selector: str, window: str) -> str:
    return f'sum(rate(container_cpu_usage_seconds_total{{{selector}, container!=""}}{window}))'


def _symptoms(target: str, params: SurgeParameters) -> tuple[Symptom, ...]:
    server = 'namespace="kube-system", pod=~"kube-apiserver-.*"'
    client = f'namespace=$namespace, pod=~"({"|".join([params.name] if params.name else _NAMES)})-.*"'
    # NB: the API server has busy moments of its own; that the client is busy, too, tells this one from them.
    query = (
        f"({_cpu(server, '[1m]')} > 1.5 * {_cpu(server, '[2m] offset 3m')}) and {_cpu(client, '[1m]')} > 0.03"
    )
    return (MetricSymptom("the API server is busy with a client", query=query),)


SURGE = Mechanism(
    name="api-server-request-surge",
    summary="A client lists pods all the time, so that the API server is busy with it.",
    parameters=SurgeParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    cluster_wide=True,
)

MECHANISMS = (SURGE,)
