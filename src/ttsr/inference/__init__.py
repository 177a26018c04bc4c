"""A trained TTSR put to work on pictures."""
