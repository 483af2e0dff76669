"""The parts of `deploy/refresh`."""
