"""CNI plugin, last in the chain: a pod starts no container before the policies that govern it are in force.

Without it a new pod would be free for as long as its address takes to travel through kubelet and API server
to the agent, about a second. The plugin tells the agent the address at once, waits for its word, and hands on
what the plugins before it made. It stands alone and imports little: it runs for every pod.
"""

import json
import os
import socket
import sys

SOCKET = os.environ.get("NETAGENT_GATE_SOCKET", "/run/netagent/gate.sock")
TIMEOUT_SECONDS = 15.0
TRY_AGAIN_LATER = 11  # of the CNI specification; the kubelet makes the sandbox anew


def main() -> int:
    """Speak the plugin's side of CNI ADD on standard input and output."""
    given = json.load(sys.stdin)
    result = given["prevResult"]
    arguments = dict(p.split("=", 1) for p in os.environ.get("CNI_ARGS", "").split(";") if "=" in p)
    request = {
        "namespace": arguments.get("K8S_POD_NAMESPACE", ""),
        "name": arguments.get("K8S_POD_NAME", ""),
        "uid": arguments.get("K8S_POD_UID", ""),
        "ips": [ip["address"].partition("/")[0] for ip in result.get("ips", [])],
    }
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(TIMEOUT_SECONDS)
            agent.connect(SOCKET)
            agent.sendall(json.dumps(request).encode() + b"\n")
            answer = agent.makefile().readline().strip()
    except OSError as error:
        answer = f"the network agent did not answer: {error}"
    if answer == "ok":
        json.dump(result, sys.stdout)
        return 0
    error_object = {
        "cniVersion": given.get("cniVersion", "1.0.0"),
        "code": TRY_AGAIN_LATER,
        "msg": "network policies of the pod are not in force yet",
        "details": answer or "the network agent ended",
    }
    json.dump(error_object, sys.stdout)
    return 1


if __name__ == "__main__":
    sys.exit(main())
