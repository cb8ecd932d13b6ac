"""The ways in from other processes. Nothing below this room imports it."""
