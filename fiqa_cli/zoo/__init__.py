"""The models fiqa knows: registry, download, verification, loading."""
