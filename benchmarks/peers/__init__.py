"""What everybody writes instead of `tuner`: one script a peer, run in a process of its own."""
