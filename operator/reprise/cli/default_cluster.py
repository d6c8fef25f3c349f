"""Which cluster is meant when nobody says. Apart from the operator, whose imports take a second."""

import os

from reprise.adapters import service_proxy


def use_default_kubeconfig() -> None:
    """Without KUBECONFIG and out of a cluster, the cluster that `reprise up` made is meant."""
    if "KUBECONFIG" in os.environ or service_proxy.in_cluster():
        return
    # The operator's image has no cluster builder.
    from reprise.cluster import paths

    if paths.kubeconfig_path().is_file():
        os.environ["KUBECONFIG"] = str(paths.kubeconfig_path())
