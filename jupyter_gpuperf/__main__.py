"""``python -m jupyter_gpuperf …``: the same as ``jupyter gpuperf …``."""

import sys

from jupyter_gpuperf.cli import main

sys.exit(main())
