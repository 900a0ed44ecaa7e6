"""Model files as plain data, read strictly. Only NumPy and h5py are imported here."""
