"""Images: a folder becomes a data set, one file becomes an array."""
