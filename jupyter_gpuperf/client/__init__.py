"""Run work in this process or through the server; called by the magics and the public functions."""
