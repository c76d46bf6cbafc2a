"""What operators do with an installation: requests and results with types, for any surface that is put in front."""
