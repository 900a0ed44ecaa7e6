"""The ground: errors, names, dtypes, variables, symbolic tensors, the registry."""
