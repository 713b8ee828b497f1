"""Calendar: windows and recurrence."""
