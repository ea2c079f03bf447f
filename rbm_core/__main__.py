"""python -m rbm_core."""

import sys

from rbm_core.cli import main

sys.exit(main())
