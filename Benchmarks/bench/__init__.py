"""Measures servers that do the same work, in turn: python3 -m bench --help."""
