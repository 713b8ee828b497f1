"""Duties: everything else that the leading scheduler does."""
