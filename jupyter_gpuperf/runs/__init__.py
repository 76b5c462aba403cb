"""``jupyter gpuperf run``: a script under the step clock, without a change of its code.

The script's processes find :mod:`startup` on their ``PYTHONPATH`` and report to the run's socket (:mod:`child`), as kernels
do to their server. The command itself starts the script (:mod:`process`), reads the devices and judges both
(:mod:`observed_run`), and writes what it found to the terminal and to files.
"""
