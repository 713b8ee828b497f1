"""HTTP: reading, checking and answering requests, independent of their subject."""
