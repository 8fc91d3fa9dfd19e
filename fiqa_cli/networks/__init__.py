"""Plain torch networks, with the parameter names of the official implementations."""
