"""The formats of recordings: the product's own, and other laboratories' traces. Recordings of real devices lie beside."""
