"""Shared by the magics and the shell: options, the manual, and the subcommands such as ``history``."""
