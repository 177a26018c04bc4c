"""Pictures in and out: files and arrays to `Picture`, resizing as the weights were trained with, and back."""
