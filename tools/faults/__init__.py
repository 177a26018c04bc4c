"""Commands of `ttsr` under faults: stopped by signals at any moment, and with a disk that is full at any byte."""
