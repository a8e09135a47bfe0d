"""Every value an operator can set, read once from the environment (and a `.env` file) and passed down."""

import os
import re
import warnings
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal
from dotenv import dotenv_values
from platformdirs import user_downloads_path, user_state_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Access = Literal["read", "triage", "delete", "purge", "admin"]
Approval = Literal["auto", "human"]


class SettingsError(Exception):
    """A missing or wrong value. Its text is one line that names the variable and never shows a secret."""


def load_settings(**overrides: object) -> "Settings":
    """The settings in force: the environment and `.env`, and over them what the command line said.

    Raises:
        SettingsError: a value is wrong; the text names its variable.
    """
    _refuse_mixed_sources()
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingsError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None


def _refuse_mixed_sources() -> None:
    """A `.env` in a folder that came from elsewhere has no say over this machine's credentials.

    It must not send them to its own address, nor bring its own rules for what may be deleted with them.
    """
    here = dotenv_values(".env")
    for secret in ("RC_USER_JWT", "RC_APP_CLIENT_ID", "RC_ACCESS_TOKEN"):
        if here.get("RC_MCP_POLICY") and not os.environ.get("RC_MCP_POLICY") and os.environ.get(secret):
            raise SettingsError(
                f"RC_MCP_POLICY stands in .env and {secret} in the environment: rules for deleting are not taken "
                "from another source than the login. Set both in one place."
            )
    for address in ("RC_SERVER_URL", "RC_MEDIA_URL"):
        for secret in ("RC_USER_JWT", "RC_APP_CLIENT_SECRET", "RC_ACCESS_TOKEN"):
            if here.get(address) and not os.environ.get(address) and os.environ.get(secret):
                raise SettingsError(
                    f"{address} stands in .env and {secret} in the environment: credentials are not sent to an "
                    "address from another source. Set both in one place."
                )


def _web_address(value: str) -> str:
    loopback = r"(localhost|127(\.\d{1,3}){3}|\[::1\]|[a-z0-9.-]+\.test)"
    if not re.fullmatch(rf"https://[^/\s?#@]+|http://{loopback}(:\d+)?", value.rstrip("/"), re.IGNORECASE):
        raise ValueError("must be an address such as https://platform.ringcentral.com (http only on loopback)")
    return value.rstrip("/")


def _extension_ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    ids = frozenset(part for part in re.split(r"[,\s]+", value) if part)
    if wrong := sorted(i for i in ids if not re.fullmatch(r"[0-9]{1,20}", i)):
        raise ValueError(f"holds {wrong[0]!r}; it takes extension ids (digits), separated by commas")
    return ids


def _filled_in(value: object) -> object:
    if isinstance(value, str) and "${" in value:
        raise ValueError("still holds a placeholder; the host did not fill it in")
    return value


def _time_zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        raise ValueError("is no time zone known here; it takes an IANA name such as America/New_York") from None


def _system_time_zone() -> ZoneInfo:
    """The zone this machine is set to; UTC where that cannot be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is not set, or twice and differently
        try:
            return tzlocal.get_localzone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")


def _hard_to_guess(value: SecretStr | None) -> SecretStr | None:
    if value and not re.fullmatch(r"[!-~]{24,}", value.get_secret_value()):
        raise ValueError("must be 24 or more characters without spaces, such as `openssl rand -hex 32` prints")
    return value


FilledIn = BeforeValidator(_filled_in)
WebAddress = Annotated[str, AfterValidator(_web_address)]
StateDir = Annotated[
    Path,
    Field(
        default_factory=lambda: user_state_path("rc-mcp", appauthor=False),
        alias="RC_MCP_STATE_DIR",
        description="Where plans, the journal, logins and `STOP` are kept; a folder of the system's choice, which "
        "`rc-mcp doctor` shows. Plans hold names and first words; each is void after 10 minutes and removed with the "
        "next. The journal holds ids and stays.",
    ),
]


class _Source(BaseSettings):
    """Where values come from."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )


class StateFolder(_Source):
    """For what has to work whatever is wrong with any other value, as a stop has to."""

    state_dir: StateDir


class Settings(_Source):
    """What the server is told. Variable names are the fields' aliases; defaults are INTERFACE's."""

    server_url: WebAddress = Field(
        "https://platform.ringcentral.com", alias="RC_SERVER_URL", description="Where RingCentral's API is."
    )
    media_url: WebAddress | None = Field(
        None,
        alias="RC_MEDIA_URL",
        description="Where attachments come from. Left out: `https://media.ringcentral.com`, or `RC_SERVER_URL` if "
        "that is not RingCentral's.",
    )
    client_id: Annotated[str | None, FilledIn] = Field(None, alias="RC_APP_CLIENT_ID", description="The app.")
    client_secret: Annotated[SecretStr, FilledIn] = Field(
        SecretStr(""), alias="RC_APP_CLIENT_SECRET", description="The app's secret; empty for an app that has none."
    )
    user_jwt: Annotated[SecretStr | None, FilledIn] = Field(
        None, alias="RC_USER_JWT", description="The user, as a JWT credential. Not needed after `rc-mcp login`."
    )
    access_token: Annotated[SecretStr | None, FilledIn] = Field(
        None, alias="RC_ACCESS_TOKEN", description="A ready token, instead of the three above."
    )

    access: Access = Field(
        "admin",
        alias="RC_MCP_ACCESS",
        description="How far tools go: `read`, `triage` (also marks and restores), `delete`, `purge` (also erases), "
        "`admin` (also the retention period). A tool above it does not exist for the assistant.",
    )
    approval: Approval = Field(
        "auto",
        alias="RC_MCP_APPROVAL",
        description="`human`: where the app cannot show a question, every delete takes a yes in the terminal.",
    )
    extensions: Annotated[frozenset[str], NoDecode, BeforeValidator(_extension_ids)] = Field(
        frozenset(),
        alias="RC_MCP_EXTENSIONS",
        description="Ids of other extensions that may be touched, with commas between. Left out: only the login's own.",
    )
    http_token: Annotated[SecretStr | None, FilledIn, AfterValidator(_hard_to_guess)] = Field(
        None,
        alias="RC_MCP_HTTP_TOKEN",
        description="With `rc-mcp serve --http`: what every request has to bring as its bearer token, 24 or more "
        "characters.",
    )
    timezone: Annotated[ZoneInfo, BeforeValidator(_time_zone)] = Field(
        default_factory=_system_time_zone,
        alias="RC_MCP_TIMEZONE",
        description="The zone of all times, by its IANA name such as `America/New_York`; also of times an assistant "
        "gives without an offset. Left out: this machine's.",
    )
    policy: Path | None = Field(
        None,
        alias="RC_MCP_POLICY",
        description="A policy file: what may be deleted unattended, whose messages never are, caps, a dry run.",
    )
    state_dir: StateDir
    download_dir: Path = Field(
        default_factory=lambda: user_downloads_path() / "rc-mcp",
        alias="RC_MCP_DOWNLOAD_DIR",
        description="Where attachments are saved when `form` is `file`; a folder `rc-mcp` among your downloads.",
    )

    def check_credentials(self) -> None:
        """Raises `SettingsError` unless there is a token, or an app and a user to log in as."""
        if self.access_token:
            return
        for name, value in (("RC_USER_JWT", self.user_jwt), ("RC_APP_CLIENT_ID", self.client_id)):
            if not value:
                raise SettingsError(
                    f"{name} is not set. Set RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT (or "
                    "RC_ACCESS_TOKEN), or RC_APP_CLIENT_ID alone and log in with rc-mcp login, or try it without an "
                    "account: rc-mcp serve --demo"
                )
