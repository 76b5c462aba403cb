"""Services that run on the server's event loop."""
