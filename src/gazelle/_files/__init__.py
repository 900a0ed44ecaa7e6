"""Files: atomic writing, safe reading, downloading and unpacking."""
