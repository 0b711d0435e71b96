"""From a reference to a checked search space: its hypermodel, its configurations, its sample models."""
