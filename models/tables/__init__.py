"""Tables: the SQLModel classes, one file each. Workers and schedulers start without them."""
