"""Region-text pre-training of a dual encoder (FGAM section 3.2)."""
