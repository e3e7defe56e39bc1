"""`python -m dj_core VERB …`."""

import sys

from dj_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
