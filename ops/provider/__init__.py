"""An OAuth 2 provider on loopback, with an API behind it: for the example, and for tests that must not speak to themselves."""
