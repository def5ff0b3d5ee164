"""Portraits -> labelled long face videos: motion scripts, mesh warps, nuisances. Deterministic by
seed.
"""
