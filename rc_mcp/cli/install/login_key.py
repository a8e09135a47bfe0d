"""The variables by which a server finds the login of `rc-mcp login`: a login is stored for one app at one address."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rc_mcp.settings import Settings

_SERVER_URL = Settings.model_fields["server_url"].default


def login_key(settings: Settings, *, with_dotenv: bool) -> dict[str, str]:
    """Return the values set here, without defaults. None is a secret.

    Args:
        with_dotenv: also an address or a folder from `.env`. They may only be written together with the secrets of that
            file: otherwise the host would send its own secrets to an address that a folder chose.
    """
    values = {
        "RC_APP_CLIENT_ID": settings.client_id,
        "RC_SERVER_URL": settings.server_url if settings.server_url != _SERVER_URL else None,
        "RC_MEDIA_URL": settings.media_url,
        "RC_MCP_STATE_DIR": str(settings.state_dir) if "state_dir" in settings.model_fields_set else None,
    }
    allowed = {name.upper() for name, value in os.environ.items() if value} | {"RC_APP_CLIENT_ID"}
    return {name: value for name, value in values.items() if value and (with_dotenv or name in allowed)}


def differences(variables: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the variables with which the server of an entry looks for another login than the one here."""
    pairs = {
        "RC_APP_CLIENT_ID": (variables.get("RC_APP_CLIENT_ID"), settings.client_id),
        "RC_SERVER_URL": (_address(variables.get("RC_SERVER_URL")) or _SERVER_URL, settings.server_url),
        "RC_MEDIA_URL": (_address(variables.get("RC_MEDIA_URL")), settings.media_url),
        "RC_MCP_STATE_DIR": _folders(variables.get("RC_MCP_STATE_DIR"), settings),
    }
    return [name for name, (there, here) in pairs.items() if there != here]


def _address(value: object) -> str | None:
    return str(value).rstrip("/") if value else None


def _folders(value: object, settings: Settings) -> tuple[Path | None, Path | None]:
    if value:
        return Path(os.path.expanduser(str(value))), settings.state_dir  # noqa: PTH111  raises no error for `~user`
    return None, settings.state_dir if "state_dir" in settings.model_fields_set else None
