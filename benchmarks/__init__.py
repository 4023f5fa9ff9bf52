"""Benchmarks: a model's responses in, its metrics out."""
