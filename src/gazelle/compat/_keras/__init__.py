"""What `keras.<room>` had and has no longer, one file per room. `__all__` is what scripts find."""
