"""Formats of recordings: the product's own, and another laboratory's traces. Also holds recordings of real devices."""
