"""What a model is worth: figures on labelled images, predictions, robustness, retraining, ensembles."""
