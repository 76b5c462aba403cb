"""Formats of recordings: the product's own, and one laboratory's traces. Also contains recordings of real devices."""
