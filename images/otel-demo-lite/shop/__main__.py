"""`python -m shop SERVICE` plays one service of the shop."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from shop import services


def names() -> list[str]:
    """The services that can be played, by their Deployment's (or container's) name."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(services.__path__))


def main(arguments: list[str]) -> int:
    """Play the named service; 2 when the name is unknown."""
    if len(arguments) != 1 or arguments[0] not in names():
        print(f"expected one service of {', '.join(names())}; found {arguments}", file=sys.stderr)
        return 2
    # NB: imported by name, because a service must not pay for the libraries of the others.
    importlib.import_module(f"shop.services.{arguments[0].replace('-', '_')}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
