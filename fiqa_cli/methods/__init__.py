"""One file per FIQA method: a batch of crops in, quality scores out."""
