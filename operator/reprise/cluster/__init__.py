"""Makes and removes the cluster: detection, pinned builds, kind, what is installed into it."""
