"""``python -m sandbox_networks``: serve the sandbox networks."""

from __future__ import annotations

import sys

from sandbox_networks.server import main

if __name__ == "__main__":
    sys.exit(main())
