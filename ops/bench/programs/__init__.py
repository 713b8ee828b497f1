"""Programs inside the measured processes."""
