"""What people are asked and what they decide: links with tokens, the inbox, and the one way to decide."""
