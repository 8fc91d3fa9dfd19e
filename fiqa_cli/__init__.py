"""Batch face image quality assessment: score, filter and compare face images."""

__version__ = "0.1.0"
