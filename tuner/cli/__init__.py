"""The `tuner` command: one file a command, which reads options, calls the package and prints."""
