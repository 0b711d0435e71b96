"""A trained model as a thing of its own: loading, exporting, converting, describing."""
