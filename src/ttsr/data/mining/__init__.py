"""From a folder of photos to a data set of pairs: which photos show the same thing, and crops of them that overlap."""
