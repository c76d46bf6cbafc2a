"""The tables of sagas, as SQL that migrations run."""
