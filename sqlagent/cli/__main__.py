"""`python -m sqlagent.cli`."""

import sys

from sqlagent.cli import main

sys.exit(main())
