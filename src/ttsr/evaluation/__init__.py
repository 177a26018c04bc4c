"""Models scored on a test set under published protocols: what they are given, the scores, and how these are shown."""
