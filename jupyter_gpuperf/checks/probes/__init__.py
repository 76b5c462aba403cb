"""How checks see a machine. Standard library only."""
