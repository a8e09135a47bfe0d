"""RingCentral's OAuth endpoints and login page."""
