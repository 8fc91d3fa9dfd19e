"""How the built-in face detector `scrfd-n` is labelled, trained, exported and evaluated."""
