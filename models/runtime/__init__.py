"""Runtime: what every process stands on. No rule about runs is in here."""
