"""The first incidents: one of each of eight mechanisms, which whole suites go through one after another.

The rest of the catalogue is proven by `make prove`, and by the sample of test_prove.py.
"""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "scenarios" / "otel-demo"
NAMES = (
    "ads-without-endpoints",
    "cart-connection-refused",
    "cart-storage-unreachable",
    "checkout-pods-refused",
    "frontend-unreachable",
    "payment-declined",
    "product-catalog-not-starting",
    "quiet-day",
    "shipping-gone",
)
PATHS = tuple(FOLDER / f"{name}.yaml" for name in NAMES)
