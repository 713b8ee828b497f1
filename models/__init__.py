"""The law: what exists and what may happen. Imports nothing of ours."""
