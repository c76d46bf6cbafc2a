"""One transaction: what it set in motion, drawn and told."""
