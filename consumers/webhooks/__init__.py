"""The sending half of webhooks: notes what is to be delivered to whom, and calls the receivers."""
