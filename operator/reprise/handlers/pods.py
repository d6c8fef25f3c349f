"""What every pod of ours is held to: the restricted profile of Kubernetes' pod security standards."""

from reprise.adapters.kube import Json


def of_user(uid: int) -> Json:
    """A pod's securityContext: one user that is not root."""
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def confined() -> Json:
    """A container's securityContext."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
