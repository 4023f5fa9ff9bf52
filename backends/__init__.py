"""Models behind one protocol: drivers, cache, limits, retries and usage."""
