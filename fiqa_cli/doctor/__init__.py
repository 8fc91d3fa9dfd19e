"""Whether fiqa works on this machine, and what a bug report should say of it."""
