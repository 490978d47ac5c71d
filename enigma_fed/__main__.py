"""`python -m enigma_fed`: the same as the `enigma-fed` command."""

from __future__ import annotations

import sys

from enigma_fed.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
