"""Write readings to files: recordings, and the saved history."""
