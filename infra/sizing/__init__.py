"""How large an installation has to be for a load, from rates that were measured."""
