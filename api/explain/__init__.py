"""Explanations why a run is not executing: values read in one snapshot, and rules over them without I/O."""
