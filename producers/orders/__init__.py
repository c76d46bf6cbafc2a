"""The orders service: owns orders and tells what happens to them."""
