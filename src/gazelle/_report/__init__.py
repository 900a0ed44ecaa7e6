"""A report: a trained model and its data become a run folder and one HTML page."""
