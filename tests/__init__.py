"""Tests are sentences about behaviour, run against the emulator over the real client, in both protocol eras."""
