"""Figures, tables and references for a paper, by matplotlib (extra `plots`)."""
