"""Reports: run folders of trained models, and their HTML pages."""
