"""The ground floor: errors, names, dtypes, variables, the hinge to pure programs, symbolic tensors, the registry."""
