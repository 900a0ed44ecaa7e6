"""Training's programs and the one loop that runs them."""
