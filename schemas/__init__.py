"""Typed records: everything that crosses a folder's border is one of these models."""
