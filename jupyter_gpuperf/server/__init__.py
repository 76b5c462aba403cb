"""Services of the server's event loop."""
