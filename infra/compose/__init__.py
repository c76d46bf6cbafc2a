"""The stack in containers: what is in the compose file, and how it is brought up and looked after."""
