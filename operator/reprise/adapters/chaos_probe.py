"""What the nodes and Chaos Mesh's daemon can do: each answer is that of the real thing."""

from reprise.adapters.kube import Kube
from reprise.faults.mechanism import Requirement


async def lacks(kube: Kube, requirement: Requirement) -> str:
    """Why the cluster does not meet the requirement; "" when it does."""
    return f"expected {requirement.value}, found no way to ask for it"
