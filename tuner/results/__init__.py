"""The folder of a run: the store, the tables, and reading and repairing them."""
