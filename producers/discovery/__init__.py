"""Where the instances of a service are: looked up, kept, balanced over, and said of oneself."""
