"""What moves when: motion scripts of expressions, speech and nuisances."""
