"""Pure numbers, with no model and no file: intervals, metrics, calibration, thresholds, significance."""
