"""The network: plain modules on float tensors that know nothing of files, devices or losses."""
