"""Two loops in turn: what a change of the loop gains."""
