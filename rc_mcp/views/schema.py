"""Short forms for output schemas.

Every conversation carries the schemas of all tools. Parts of an answer that explain themselves are therefore declared
only as objects.
"""

from pydantic import WithJsonSchema

LOOSE = WithJsonSchema({"type": "object"})
DETAILS = WithJsonSchema({"type": "array", "items": {"type": "object"}})
OUTCOMES = WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "description": "By id."})
