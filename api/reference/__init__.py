"""The page that shows the calls of the API to people."""
