"""Where training and test pairs come from."""
