"""Operations: what users and schedules do to runs."""
