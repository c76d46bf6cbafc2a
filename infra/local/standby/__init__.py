"""The standby of a cluster: made, watched, promoted in the place of a primary that is lost, and made again."""
