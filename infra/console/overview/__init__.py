"""The first page: the picture of the flow, what is wrong now, the parts, and the slot."""
