"""The gate: judges whether a changed contract still serves everybody who wrote or reads the older ones."""
