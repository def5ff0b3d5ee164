"""From a portrait and a motion script to pictures."""
