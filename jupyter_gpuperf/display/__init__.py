"""Results as HTML, text and plots."""
