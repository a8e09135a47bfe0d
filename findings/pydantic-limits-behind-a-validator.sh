#!/usr/bin/env bash
# pydantic's JSON Schema of a number with limits behind a BeforeValidator: the limits are published under names that JSON
# Schema does not have.
#
# Expected: `minimum` and `maximum`, wherever the validator is in `Annotated`, as in a field without one.
# Observed: with the validator before the limits, they are published as `ge` and `le`, which every client ignores. The
# check itself works. With the validator after the limits, the names are right.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pydantic==2.14.3'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from typing import Annotated

import pydantic
from pydantic import BeforeValidator, Field, TypeAdapter

as_it_is = BeforeValidator(lambda value: value)
limits = Field(ge=1, le=9)
before = TypeAdapter(Annotated[int, as_it_is, limits]).json_schema()
after = TypeAdapter(Annotated[int, limits, as_it_is]).json_schema()
print(f"pydantic {pydantic.VERSION}: validator, limits: {before}; limits, validator: {after}")
right = {"type": "integer", "minimum": 1, "maximum": 9}
sys.exit(0 if after == right and before == {"type": "integer", "ge": 1, "le": 9} else 1)
PYTHON
