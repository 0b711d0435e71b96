"""The processes that train trials, on this machine or on a Ray cluster, and how they are spoken to."""
