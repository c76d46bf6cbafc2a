"""How Tailrace runs: deployments, operations on them, the command `tailrace`, and a local stack."""
