"""What the trials of a run say together: importance, comparison of runs, the run as an Optuna study."""
