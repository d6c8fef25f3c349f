"""The network agent of a closed-network node: CNI configuration, routes, masquerading, NetworkPolicy.

Standard library plus the `nft` and `ip` programs; nothing of the product may be imported here, and nothing of
the product may depend on this. `model`, `wire`, `compiler` and `fabric` are pure; `api`, `informer`, `host`
do the I/O; `agent` ties them together.
"""
