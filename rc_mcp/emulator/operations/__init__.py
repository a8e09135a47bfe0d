"""The endpoints of the Message Store."""
