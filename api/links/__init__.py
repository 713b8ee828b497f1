"""Links: the addresses that people receive, their tokens, and who receives them."""
