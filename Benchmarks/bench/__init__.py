"""Measures servers with the same API in turn: python3 -m bench --help."""
