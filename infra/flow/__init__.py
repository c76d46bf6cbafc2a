"""What a request set in motion: the messages of a correlation, what became of each, and which led to which."""
