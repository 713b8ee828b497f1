"""Links: the addresses that people receive, their tokens, and the rights to receive them."""
