"""Whole labelled videos on disk."""
