"""Honest evaluation in one command: a data set, methods, protocols -> a table that can be
believed.
"""
