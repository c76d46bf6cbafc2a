"""How Tailrace runs: settings, the embedded local stack and the `tailrace` command."""
