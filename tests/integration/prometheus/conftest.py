"""A real Jupyter server for a real Prometheus to ask."""

from replayed_server import jp_server_config  # noqa: F401
