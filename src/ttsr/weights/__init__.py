"""Weights: which there are, how they are fetched, read, checked, translated and written."""
