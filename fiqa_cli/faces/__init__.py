"""From an image to aligned face crops: detection, choice of face, alignment."""
