"""Rows, summaries, previews and errors for the model, made from RingCentral's records."""
