"""OAuth 2 provider on loopback, with an API behind it, for the example and the tests."""
