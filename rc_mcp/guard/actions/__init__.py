"""The destructive requests: how each is planned and carried out."""
