"""Runs: accepting, finding, recording, retrying and deleting them, and what runs mean to one another."""
