"""The line between a kernel and its server: both ends."""
