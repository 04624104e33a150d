"""The doors by which instances come in."""
