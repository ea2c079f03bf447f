"""`python -m rbm_core.evaluation FOLDER`: evaluate a snapshot of the run in a folder."""

import sys

from rbm_core.evaluation.job import main

sys.exit(main())
