"""Entry point: `python3 /usr/local/lib/netagent`."""

import os
import sys

# Started as a directory the program has no package name; with its parent on the path it has the same one as
# in tests.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from netagent import agent

if __name__ == "__main__":
    sys.exit(agent.main())
