"""Fixture: a real Jupyter server for a real Prometheus."""

from replayed_server import jp_server_config  # noqa: F401
