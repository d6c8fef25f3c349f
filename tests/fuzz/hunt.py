"""One target under atheris: `python -m tests.fuzz.hunt TARGET CORPUS... [libFuzzer's arguments]`.

The product is instrumented as it is imported, so nothing of it may be imported before.
"""

import sys

import atheris

with atheris.instrument_imports(include=["reprise"]):
    from tests.fuzz import targets

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, targets.TARGETS[name])
    atheris.Fuzz()
