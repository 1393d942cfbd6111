"""The platform's own HTTP routes."""
