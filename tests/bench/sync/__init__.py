"""The benchmark `sync`: what the layers around a call cost, and what they save when the last hop is slow."""
