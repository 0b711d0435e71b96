"""One trial: from a configuration to a trained model and its checkpoint, on any backend."""
