"""Proves scenarios: drives real runs through the operator and the gateway, and judges what comes of them.

No shortcut into the cluster: what a proof does, a user with an administrator's kubeconfig could do by hand.
"""
