"""Read, align, batch, score, write."""
