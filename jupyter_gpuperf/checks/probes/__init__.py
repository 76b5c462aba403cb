"""How checks read the state of a machine. Standard library only."""
