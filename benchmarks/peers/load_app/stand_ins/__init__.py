"""Stands for the apps of the platform whose tables permissions are read from."""
