"""One module for each dependency: what runs SQL."""
