"""Tables, functions and triggers that refuse what could not be published."""
