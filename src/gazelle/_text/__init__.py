"""Text and categories as NumPy arrays: tokens, vocabularies and hashes. No JAX."""
