"""What is left of the training room: its loader and its state go to rooms of their own."""
