"""Working on parked messages: finding, showing, retrying, editing and skipping them."""
