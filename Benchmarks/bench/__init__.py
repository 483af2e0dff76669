"""Measures servers that do the same work, side by side: python3 -m bench --help."""
