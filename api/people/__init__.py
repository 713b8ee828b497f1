"""People: their inbox, questions and decisions."""
