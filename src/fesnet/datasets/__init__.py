"""Data sets of the field as recordings: which videos there are, of whom, and where their expressions lie."""
