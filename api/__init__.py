"""HTTP in, HTTP and server-sent events out. It has no rules of its own: every decision about a run is `models`'."""
