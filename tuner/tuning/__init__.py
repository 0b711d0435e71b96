"""The search: plan, Oracles, the loop over trials, and its budget."""
