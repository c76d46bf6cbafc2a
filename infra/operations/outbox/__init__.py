"""Looking after the outboxes: what they hold, dropping old days, publishing what was passed over, and proof."""
