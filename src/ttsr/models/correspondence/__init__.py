"""Where each LR cell finds its texture in the references, and what is taken from there."""
