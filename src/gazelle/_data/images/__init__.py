"""Images: reading folders as data sets, and single files as arrays."""
