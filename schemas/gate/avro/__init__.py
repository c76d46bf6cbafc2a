"""Avro: schemas as the gate reads them, and whether a reader reads what a writer wrote."""
