"""What a model is shown: rows, summaries, previews and errors, made from RingCentral's records."""
