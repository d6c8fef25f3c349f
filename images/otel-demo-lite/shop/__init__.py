"""The astronomy shop in one small image: each service of the demo is one module under `shop.services`.

The runtime (telemetry, flags, gRPC, HTTP, database) lives beside it and knows no service. Services know the
runtime and the messages in `shop.proto`, never each other: they meet over the network only.
"""
