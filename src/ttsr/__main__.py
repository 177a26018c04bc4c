"""`python -m ttsr`."""

import sys

from ttsr.cli import main

sys.exit(main())
