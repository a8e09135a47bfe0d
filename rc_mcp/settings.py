"""Every value an operator can set, read once from the environment (and a `.env` file) and passed down."""

import os
import re
import warnings
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal
from dotenv import dotenv_values
from platformdirs import user_downloads_path, user_state_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rc_mcp.access import Level

_LOGINS = {"RC_USER_JWT", "RC_ACCESS_TOKEN"}
"""One of them is a login. Where there is none, it is that of `rc-mcp login`, which belongs to this machine."""
_APP = {"RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET"}

_NO_HOME = "this user has no home folder here: set RC_MCP_STATE_DIR and RC_MCP_DOWNLOAD_DIR"

Approval = Literal["auto", "human"]


class SettingsError(Exception):
    """A missing or wrong value. Its text is one line that names the variable and never shows a secret."""


def load_settings(**overrides: object) -> "Settings":
    """The settings in force: the environment and `.env`, and over them what the command line said.

    Raises:
        SettingsError: a value is wrong; the text names its variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**{**_from_dotenv(has_login=bool(given.keys() & _LOGINS)), **given})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingsError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    except (UnicodeDecodeError, OSError):
        raise SettingsError(".env in this folder cannot be read: it has to be a text file in UTF-8") from None
    except RuntimeError:
        raise SettingsError(_NO_HOME) from None


def load_state_dir() -> Path:
    """The state folder alone, whatever is wrong with any other value or with `.env`: a stop has to work.

    A `.env` that no server here would follow is not followed either, so that a stop reaches those that run.

    Raises:
        SettingsError: it cannot be told.
    """
    try:
        return _StateFolder(**_dotenv_or_nothing()).state_dir  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        raise SettingsError(f"RC_MCP_STATE_DIR: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    except RuntimeError:
        raise SettingsError(_NO_HOME) from None


def load_time_zone() -> tzinfo | None:
    """The zone that RC_MCP_TIMEZONE names; None, which is this machine's, where it names none that is known."""
    try:
        return _Zone(**_dotenv_or_nothing()).timezone  # pyright: ignore[reportArgumentType]
    except ValidationError:
        return None


def _dotenv_or_nothing() -> dict[str, str]:
    try:
        return _from_dotenv()
    except (SettingsError, UnicodeDecodeError, OSError):
        return {}


def _from_dotenv(*, has_login: bool = False) -> dict[str, str]:
    """The values that `.env` adds to the environment.

    A login, and what says how it is used, come from one place, as the folder may have come from elsewhere:

    - If the environment has any part of a login, or of the app it is for, nothing is added to it.
    - Else, if `.env` has a login, all of our variables in it count, but for those that name a program to run.
    - Else the login is that of `rc-mcp login`: `.env` may name the app, and nothing more.

    Args:
        has_login: the caller brings a login itself, so what does not belong together is left out instead of refused.

    Raises:
        SettingsError: a variable is there that must not be; whatever it is called, also one that is not known yet.
    """
    # As it is written: what stands for another variable could carry this machine's secrets to an address in the file.
    written = dotenv_values(".env", interpolate=False)
    # In whatever case, as the environment is read: a name may be spelt with U+212A for its K.
    here = {name.lower().upper(): value for name, value in written.items() if value}
    there = {name.lower().upper() for name, value in os.environ.items() if value}
    added = {n: value for n, value in here.items() if n not in there and (n in _NAMES or n.startswith("RC_MCP_"))}
    try:
        if there & {*_LOGINS, *_APP}:
            _refuse_all_but(set(), added, "the environment")
        elif not here.keys() & _LOGINS:
            _refuse_all_but(_APP, added, "rc-mcp login")
        _refuse_programs(added)
    except SettingsError:
        if has_login:
            return {}
        raise
    return added


def _refuse_all_but(taken: AbstractSet[str], added: Mapping[str, str], source: str) -> None:
    if foreign := sorted(added.keys() - taken):
        name = _shown(foreign[0])
        raise SettingsError(
            f"{name} is set in .env, but the login comes from {source}. Nothing was started: a login and its settings "
            f"must come from one place. Set {name} in the environment, or remove it from .env."
        )


def _refuse_programs(added: Mapping[str, str]) -> None:
    for name, value in sorted(added.items()):
        if name.endswith("_COMMAND"):
            raise SettingsError(
                f"{_shown(name)} is set in .env, and names a program to run. Nothing was started: a folder must not "
                "choose a program. Set it in the environment."
            )
        if "${" in value:
            raise SettingsError(
                f"{_shown(name)} in .env refers to another variable. Nothing was started: values in .env are taken as "
                "they are written. Write the value itself, or set it in the environment."
            )


def _shown(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "?", name[:60])


def _web_address(value: str) -> str:
    loopback = r"(localhost|127(\.\d{1,3}){3}|\[::1\]|[a-z0-9.-]+\.test)"
    if not re.fullmatch(rf"https://[^/\s?#@]+|http://{loopback}(:\d+)?", value.rstrip("/"), re.IGNORECASE):
        raise ValueError("must be an address such as https://platform.ringcentral.com (http only on loopback)")
    return value.rstrip("/")


def _whole(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # ~somebody, whom this machine does not know
        raise ValueError("names a home folder that is not there") from None


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


def _fit_for_a_header(value: SecretStr | str | None) -> SecretStr | str | None:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if plain and not re.fullmatch(r"[!-~]+", plain):
        raise ValueError("has spaces, line breaks or characters that are not ASCII")
    return value


FilledIn = BeforeValidator(_filled_in)
FitForAHeader = AfterValidator(_fit_for_a_header)
WebAddress = Annotated[str, AfterValidator(_web_address)]
# Hosts hand on `~` as it is written. Whole paths: what a person is told to type has to work in any folder.
AbsolutePath = Annotated[Path, AfterValidator(_whole)]
StateDir = Annotated[
    AbsolutePath,
    Field(
        default_factory=lambda: user_state_path("rc-mcp", appauthor=False),
        alias="RC_MCP_STATE_DIR",
        description="Where plans, the journal, logins and `STOP` are kept; a folder of the system's choice, which "
        "`rc-mcp doctor` shows. Plans hold names and first words; each is void after 10 minutes and removed with the "
        "next. The journal holds ids and stays.",
    ),
]


TimeZone = Annotated[
    ZoneInfo,
    BeforeValidator(_time_zone),
    Field(
        default_factory=_system_time_zone,
        alias="RC_MCP_TIMEZONE",
        description="The zone of all times, by its IANA name such as `America/New_York`; also of times an assistant "
        "gives without an offset. Left out: this machine's.",
    ),
]


class _Source(BaseSettings):
    """Where values come from: the environment, behind what `_from_dotenv` and the command line add to it."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)


class _StateFolder(_Source):
    state_dir: StateDir


class _Zone(_Source):
    timezone: Annotated[ZoneInfo | None, BeforeValidator(_time_zone)] = Field(None, alias="RC_MCP_TIMEZONE")


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
    client_id: Annotated[str | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_APP_CLIENT_ID", description="The app."
    )
    client_secret: Annotated[SecretStr, FilledIn, FitForAHeader] = Field(
        SecretStr(""), alias="RC_APP_CLIENT_SECRET", description="The app's secret; empty for an app that has none."
    )
    user_jwt: Annotated[SecretStr | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_USER_JWT", description="The user, as a JWT credential. Not needed after `rc-mcp login`."
    )
    access_token: Annotated[SecretStr | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_ACCESS_TOKEN", description="A ready token, instead of the three above."
    )

    access: Level = Field(
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
    timezone: TimeZone
    policy: AbsolutePath | None = Field(
        None,
        alias="RC_MCP_POLICY",
        description="A policy file: what may be deleted unattended, whose messages never are, caps, a dry run.",
    )
    state_dir: StateDir
    download_dir: AbsolutePath = Field(
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


_NAMES = frozenset(field.alias for field in Settings.model_fields.values() if field.alias)
