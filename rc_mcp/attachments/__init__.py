"""Attachments: fetching their bytes, and the forms in which a tool returns them."""
