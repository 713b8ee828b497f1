"""Authorization: grants, their encryption, and the providers that issue them."""
