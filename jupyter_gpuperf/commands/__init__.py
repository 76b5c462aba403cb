"""Shared by the magics and the shell: options, the manual, and subcommands in place of a benchmark."""
