"""Logging in to RingCentral, and keeping the login."""
