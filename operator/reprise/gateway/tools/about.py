"""What the server of tools says of itself. The name is what clients show: it tells nothing of what stands
behind the door."""

NAME = "cluster"
INSTRUCTIONS = (
    "Read-only access to a Kubernetes cluster with its metrics, traces and logs. Begin with the tool "
    "`attempt`, which says what the task is and what is left of the budget. End with the tool `submit`. "
    "Long answers come in pages; the last line of a truncated one holds the cursor of the next."
)
