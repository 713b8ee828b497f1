"""Why a run is not executing: what is read of it in one snapshot, and what follows from that, by rules without I/O."""
