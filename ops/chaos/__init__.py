"""Breaks a whole Taxiway in a seeded way while it works, and checks that it keeps what it promises."""
