"""Run ``python -m jupyter_gpuperf …`` like ``jupyter gpuperf …``."""

import sys

from jupyter_gpuperf.cli import main

sys.exit(main())
