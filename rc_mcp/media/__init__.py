"""Detection of file types, and conversion of attachments to text and pictures for a model.

This package knows nothing of RingCentral or MCP. The bytes are untrusted and the libraries for PDF and TIFF are written
in C. Therefore documents are opened only in a separate process (`rc_mcp.media.worker`) with limits and no secrets.
"""
