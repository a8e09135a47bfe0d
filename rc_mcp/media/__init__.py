"""What the bytes of an attachment are, and how they become text and pictures that a model can use.

It knows nothing of RingCentral and nothing of MCP. The bytes are strangers', and the libraries that read PDF and TIFF
are C: so they are only ever opened in a process of their own (`rc_mcp.media.worker`), which has limits and no secrets.
"""
