"""Reports: takes orders for reports as jobs, tells how these stand, and hands out what they have made."""
