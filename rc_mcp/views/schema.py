"""How answers are described in a tool's output schema: enough to rely on, in few tokens.

A schema goes before a model with every conversation. The parts of an answer that name themselves in it are therefore
declared as objects and no more.
"""

from pydantic import WithJsonSchema

LOOSE = WithJsonSchema({"type": "object"})
DETAILS = WithJsonSchema({"type": "array", "items": {"type": "object"}})
OUTCOMES = WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "description": "By id."})
