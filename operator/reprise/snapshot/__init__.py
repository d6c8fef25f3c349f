"""Records an incident's observable state into files with digests, and verifies them."""
