"""Agents: one file each, and each file is a command (`python -m agents.rsr`)."""
