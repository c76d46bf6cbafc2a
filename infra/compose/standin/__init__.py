"""Stand-ins for the official images, made of what the embedded stack runs, where images cannot be pulled."""
