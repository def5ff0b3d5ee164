"""FESNet: LSDM + MTAM, checkpoints and export. Needs torch (extra `train`)."""
