"""Every value an operator can set, read once from the environment (and a `.env` file) and passed down."""

import difflib
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

_PREFIX = "RC_MCP_"
DATABASE_URL = "RC_MCP_DATABASE_URL"
_LOGINS = {"RC_USER_JWT", "RC_ACCESS_TOKEN"}
"""Each of these is a login. Without one, the server uses the login of `rc-mcp login`, which belongs to this machine."""
_APP = {"RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET"}

FOREIGN_SETTING = (
    "{name} is set in .env, but the login comes from {source}. Nothing was done, because a login and its settings "
    "must have the same source. Set {name} in the environment, or remove it from .env."
)
FOREIGN_PROGRAM = (
    "{name} is set in .env and names a program to run. Nothing was done, because a folder must not choose a program. "
    "Set it in the environment."
)
REFERENCE = (
    "{name} in .env refers to another variable. Nothing was done, because references in .env are not resolved. "
    "Write the value itself, or set it in the environment."
)
NO_SETTING = "{name}: rc-mcp has no such setting. {hint} Nothing was done."
UNREADABLE = ".env in this folder cannot be read. Nothing was done. Save it as a text file in UTF-8."
NOT_LOGGED_IN = "Not logged in: run rc-mcp login. Or set RC_USER_JWT, or RC_ACCESS_TOKEN."
NO_CREDENTIALS = (
    "{name} is not set. Set RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT (or RC_ACCESS_TOKEN), or set only "
    "RC_APP_CLIENT_ID and run rc-mcp login. Where to get them: docs/how-to/get-credentials.md. To try it without an "
    "account, run rc-mcp demo, or rc-mcp install HOST --demo."
)
NO_MODEL = (
    "RC_MCP_TRANSCRIBE_MODEL is not set, but RC_MCP_TRANSCRIBE is {mode}. Nothing was done. Name a model, or unset "
    "RC_MCP_TRANSCRIBE."
)
NO_DATABASE = "RC_MCP_DATABASE_URL is not set. Nothing was done. Set it to the address of the team's PostgreSQL."
NO_SUCH_FILE = "there is no such file"
NO_HOME_OF_THAT_NAME = "names a home folder that does not exist"
_NO_HOME = "this user has no home folder here: set RC_MCP_STATE_DIR and RC_MCP_DOWNLOAD_DIR"

Approval = Literal["auto", "human"]
Switch = Literal["on", "off"]


class SettingsError(Exception):
    """A missing or wrong value. The text is one line; it names the variable and never shows a secret."""


def load_settings(**overrides: object) -> "Settings":
    """Return the settings from the environment and `.env`; `overrides` from the command line take precedence.

    Raises:
        SettingsError: a value is wrong; the text names its variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        _refuse_unknown(_in_environment())
        return Settings(**{**_from_dotenv(has_login=bool(given.keys() & _LOGINS)), **given})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingsError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    except (UnicodeDecodeError, OSError):
        raise SettingsError(UNREADABLE) from None
    except RuntimeError:
        raise SettingsError(_NO_HOME) from None


def load_state_dir() -> Path:
    """Return the state folder, even if other values or `.env` are wrong: `rc-mcp stop` must always work.

    A `.env` that a server here would reject is ignored, so that a stop reaches the running servers.

    Raises:
        SettingsError: the folder cannot be determined.
    """
    try:
        return _StateFolder(**_dotenv_or_nothing()).state_dir  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        raise SettingsError(f"RC_MCP_STATE_DIR: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    except RuntimeError:
        raise SettingsError(_NO_HOME) from None


def load_database_url() -> SecretStr:
    """Return the address of the team's database, even if other values or `.env` are wrong: a stop must always work.

    Raises:
        SettingsError: there is none, or it cannot be used.
    """
    try:
        url = _Database(**_dotenv_or_nothing()).database_url  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        raise SettingsError(f"{DATABASE_URL}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    if url is None:
        raise SettingsError(NO_DATABASE)
    return url


def load_time_zone() -> tzinfo | None:
    """Return the zone that RC_MCP_TIMEZONE names, or None (the machine's zone) if it is unset or unknown."""
    try:
        return _Zone(**_dotenv_or_nothing()).timezone  # pyright: ignore[reportArgumentType]
    except ValidationError:
        return None


def added_by_dotenv(given: AbstractSet[str] = frozenset()) -> AbstractSet[str]:
    """Return the names of the variables that `.env` adds for a server in this folder.

    Args:
        given: names of variables that the server has besides those of this environment.

    Raises:
        SettingsError: such a server refuses `.env`.
    """
    try:
        return _from_dotenv(given=given).keys()
    except (UnicodeDecodeError, OSError):
        raise SettingsError(UNREADABLE) from None


def _dotenv_or_nothing() -> dict[str, str]:
    try:
        return _from_dotenv()
    except (SettingsError, UnicodeDecodeError, OSError):
        return {}


def _from_dotenv(*, has_login: bool = False, given: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """Return the values that `.env` adds to the environment.

    A login and the settings for its use must have one source, because another user may have written the folder:

    - If the environment has any part of a login, or of its app, `.env` must add nothing.
    - Otherwise, if `.env` has a login, all of our variables in it apply, except those that name a program to run.
    - Otherwise the login is the one of `rc-mcp login`, and `.env` may name only the app.

    Args:
        has_login: the caller provides a login, so a `.env` that breaks these rules is ignored instead of refused.
        given: names of variables to treat as if they were in the environment.

    Raises:
        SettingsError: `.env` breaks these rules, also with an RC_MCP_* variable that this version does not know.
    """
    # No interpolation: a reference to a variable could send this machine's secrets to an address in the file.
    written = dotenv_values(".env", interpolate=False)
    # Case-insensitive like the environment; lower() first because a name may contain U+212A instead of K.
    here = {name.lower().upper(): value for name, value in written.items() if value}
    there = _in_environment() | given
    added = {n: value for n, value in here.items() if n not in there and (n in _NAMES or n.startswith(_PREFIX))}
    try:
        if there & {*_LOGINS, *_APP}:
            _refuse_all_but(set(), added, "the environment")
        elif not here.keys() & _LOGINS:
            _refuse_all_but(_APP, added, "rc-mcp login")
        _refuse_programs(added)
        _refuse_unknown(added.keys())
    except SettingsError:
        if has_login:
            return {}
        raise
    return added


def _in_environment() -> set[str]:
    """Return the names of the variables with a value, in capital letters."""
    return {name.lower().upper() for name, value in os.environ.items() if value}


def _refuse_all_but(taken: AbstractSet[str], added: Mapping[str, str], source: str) -> None:
    if foreign := sorted(added.keys() - taken):
        raise SettingsError(FOREIGN_SETTING.format(name=_shown(foreign[0]), source=source))


def _refuse_unknown(names: AbstractSet[str]) -> None:
    """Refuse a variable with our prefix that no setting has: a misspelled policy would protect nothing."""
    for name in sorted(name for name in names - _NAMES if name.startswith(_PREFIX)):
        known = {each.removeprefix(_PREFIX).removeprefix("RC_"): each for each in sorted(_NAMES)}
        near = difflib.get_close_matches(name.removeprefix(_PREFIX), known, 1)
        hint = f"Did you mean {known[near[0]]}?" if near else "Correct its name, or unset it."
        raise SettingsError(NO_SETTING.format(name=_shown(name), hint=hint))


def _refuse_programs(added: Mapping[str, str]) -> None:
    for name, value in sorted(added.items()):
        if name.endswith("_COMMAND"):
            raise SettingsError(FOREIGN_PROGRAM.format(name=_shown(name)))
        if "${" in value:
            raise SettingsError(REFERENCE.format(name=_shown(name)))


def _shown(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "?", name[:60])


def _web_address(value: str) -> str:
    loopback = r"(localhost|127(\.\d{1,3}){3}|\[::1\]|[a-z0-9.-]+\.test)"
    if not re.fullmatch(rf"https://[^/\s?#@]+|http://{loopback}(:\d+)?", value.rstrip("/"), re.IGNORECASE):
        raise ValueError("must be an address such as https://host.example, without a path (http only on loopback)")
    return value.rstrip("/")


def _whole(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # ~user, for a user that this machine does not know
        raise ValueError(NO_HOME_OF_THAT_NAME) from None


def _existing(path: Path) -> Path:
    try:
        is_there = path.is_file()
    except OSError:  # in a folder that may not be read
        is_there = False
    if not is_there:
        raise ValueError(NO_SUCH_FILE)
    return path


def _ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    ids = frozenset(part for part in re.split(r"[,\s]+", value) if part)
    wrong = [value] if not ids else sorted(i for i in ids if not re.fullmatch(r"[0-9]{1,20}", i))
    if wrong:  # a comma alone must not allow all
        raise ValueError(f"{wrong[0]!r} is not an id; it takes ids (digits), separated by commas")
    return ids


def _filled_in(value: object) -> object:
    if isinstance(value, str) and "${" in value:
        raise ValueError("still contains a placeholder; the host did not fill it in")
    return value


def _time_zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        raise ValueError("is not a time zone known here; it takes an IANA name such as America/New_York") from None


def _system_time_zone() -> ZoneInfo:
    """Return the machine's time zone, or UTC if it cannot be determined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a zone that is not set, or set twice and differently
        try:
            return tzlocal.get_localzone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")


def _hard_to_guess(value: SecretStr | None) -> SecretStr | None:
    if value and not re.fullmatch(r"[!-~]{24,}", value.get_secret_value()):
        raise ValueError("must be 24 or more characters without spaces, such as `openssl rand -hex 32` prints")
    return value


def _key_ring(value: object) -> object:
    if not isinstance(value, str):
        return value
    keys = tuple(SecretStr(part) for part in re.split(r"[,\s]+", value) if part)
    if not keys or any(len(key.get_secret_value()) < 32 for key in keys):
        raise ValueError("takes keys of 32 or more characters, such as `openssl rand -hex 32` prints, between commas")
    return keys


def _of_postgres(value: SecretStr | None) -> SecretStr | None:
    if value and not re.match(r"postgres(ql)?://", value.get_secret_value()):
        raise ValueError("must be an address such as postgresql://user:password@host/database")
    return value


def _fit_for_a_header(value: SecretStr | str | None) -> SecretStr | str | None:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if plain and not re.fullmatch(r"[!-~]+", plain):
        raise ValueError("has spaces, line breaks or characters that are not ASCII")
    return value


FilledIn = BeforeValidator(_filled_in)
FitForAHeader = AfterValidator(_fit_for_a_header)
WebAddress = Annotated[str, AfterValidator(_web_address)]
Ids = Annotated[frozenset[str], NoDecode, BeforeValidator(_ids)]
# Hosts pass `~` on unexpanded. Absolute paths: a command that the user must type must work in any folder.
AbsolutePath = Annotated[Path, AfterValidator(_whole)]
StateDir = Annotated[
    AbsolutePath,
    Field(
        default_factory=lambda: user_state_path("rc-mcp", appauthor=False),
        alias="RC_MCP_STATE_DIR",
        description="The folder for plans, the journal, logins and `STOP`. Default: the system's folder for such data; "
        "`rc-mcp doctor` shows it. Plans contain names and first words; a plan expires after 10 minutes and is removed "
        "with the next one. The journal contains ids and is kept.",
    ),
]


TimeZone = Annotated[
    ZoneInfo,
    BeforeValidator(_time_zone),
    Field(
        default_factory=_system_time_zone,
        alias="RC_MCP_TIMEZONE",
        description="The time zone of all times, as an IANA name such as `America/New_York`; also for times that an "
        "assistant gives without an offset. Default: the machine's zone.",
    ),
]


DatabaseUrl = Annotated[
    SecretStr | None,
    FilledIn,
    AfterValidator(_of_postgres),
    Field(
        None,
        alias=DATABASE_URL,
        description="For `--team`: the PostgreSQL that all replicas share, `postgresql://user:password@host/database`. "
        "Needs `rc-mcp[team]`.",
    ),
]


class _Source(BaseSettings):
    """Settings read from the environment; values passed to the constructor take precedence."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)


class _StateFolder(_Source):
    state_dir: StateDir


class _Database(_Source):
    database_url: DatabaseUrl


class _Zone(_Source):
    timezone: Annotated[ZoneInfo | None, BeforeValidator(_time_zone)] = Field(None, alias="RC_MCP_TIMEZONE")


class Settings(_Source):
    """All settings. The alias of a field is its variable."""

    server_url: WebAddress = Field(
        "https://platform.ringcentral.com", alias="RC_SERVER_URL", description="The address of RingCentral's API."
    )
    media_url: WebAddress | None = Field(
        None,
        alias="RC_MEDIA_URL",
        description="The address for attachments. Default: `https://media.ringcentral.com`, or `RC_SERVER_URL` if "
        "that is not RingCentral's.",
    )
    client_id: Annotated[str | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_APP_CLIENT_ID", description="The app's client ID."
    )
    client_secret: Annotated[SecretStr, FilledIn, FitForAHeader] = Field(
        SecretStr(""),
        alias="RC_APP_CLIENT_SECRET",
        description="The app's client secret; empty for an app without one.",
    )
    user_jwt: Annotated[SecretStr | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_USER_JWT", description="The user's JWT credential. Not needed after `rc-mcp login`."
    )
    access_token: Annotated[SecretStr | None, FilledIn, FitForAHeader] = Field(
        None, alias="RC_ACCESS_TOKEN", description="An access token, instead of the three above."
    )

    access: Level = Field(
        "admin",
        alias="RC_MCP_ACCESS",
        description="The highest level of tools: `read`, `triage` (also marks and restores), `delete`, `purge` (also "
        "erases), `admin` (also sets the retention period). The assistant does not see tools above it. "
        "`rc-mcp install` and the container image set `delete`.",
    )
    approval: Approval = Field(
        "auto",
        alias="RC_MCP_APPROVAL",
        description="`human`: if the app cannot show a question, every delete needs approval on the inbox page or in "
        "the terminal.",
    )
    approval_page: Switch = Field(
        "off",
        alias="RC_MCP_APPROVAL_PAGE",
        description="`on`: if the app cannot show a question, the plan is shown in your own browser, on a page of this "
        "machine. `rc-mcp install claude-desktop` sets it.",
    )
    extensions: Ids = Field(
        frozenset(),
        alias="RC_MCP_EXTENSIONS",
        description="Ids of other extensions to allow, separated by commas. Default: only the login's own extension.",
    )
    structured: Switch = Field(
        "on",
        alias="RC_MCP_STRUCTURED",
        description="`off`: answers are text alone, for a framework that gives a model both the text and the "
        "structured copy.",
    )
    mirror: Switch = Field(
        "off",
        alias="RC_MCP_MIRROR",
        description="`on`: keep a local copy of the mailbox in the state folder, texts of attachments included, and "
        "offer `search_messages`. Deleted messages are in it until RingCentral purges them.",
    )
    http_token: Annotated[SecretStr | None, FilledIn, AfterValidator(_hard_to_guess)] = Field(
        None,
        alias="RC_MCP_HTTP_TOKEN",
        description="For `rc-mcp serve --http`: the bearer token that every request must have, 24 or more characters. "
        "With `--team` it is the operators' token, for `/operator` and `/metrics` only.",
    )
    timezone: TimeZone
    policy: AbsolutePath | None = Field(
        None,
        alias="RC_MCP_POLICY",
        description="A policy file: rules for unattended deletes, senders to protect, caps, a dry run.",
    )
    contacts: Annotated[AbsolutePath | None, AfterValidator(lambda path: path and _existing(path))] = Field(
        None,
        alias="RC_MCP_CONTACTS",
        description="Your address book: a vCard file, or a CSV file as Google, Outlook and RingCentral export it. "
        "Searches in the local copy find messages by a contact's name, and show it. The file is read again when it "
        "changes.",
    )
    mirror_key_command: str | None = Field(
        None,
        alias="RC_MCP_MIRROR_KEY_COMMAND",
        description="A command that prints a key of 16 or more characters, such as `pass show rc-mcp`. The local copy "
        "is encrypted with it. The command runs without a shell when the copy is opened. Needs `rc-mcp[encrypted]`.",
    )
    transcribe: Literal["off", "missing", "all"] = Field(
        "off",
        alias="RC_MCP_TRANSCRIBE",
        description="Write down voicemails on this machine, where RingCentral has no transcript or only a part of one "
        "(`missing`), or always (`all`). Needs `rc-mcp[transcribe]` and a model.",
    )
    transcribe_model: str | None = Field(
        None,
        alias="RC_MCP_TRANSCRIBE_MODEL",
        description="The model that transcribes: a folder with a Whisper model in CTranslate2's format (a path with a "
        "slash), or the name of an installed package that has one. Nothing is downloaded.",
    )
    database_url: DatabaseUrl
    public_url: WebAddress | None = Field(
        None,
        alias="RC_MCP_PUBLIC_URL",
        description="For `--team`: the address at which people and their apps reach the server, such as "
        "`https://messages.example.com`.",
    )
    accounts: Ids = Field(
        frozenset(),
        alias="RC_MCP_ACCOUNTS",
        description="For `--team`: ids of the RingCentral accounts whose people may use the server, separated by "
        "commas. Default: all accounts that the app is for.",
    )
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode, FilledIn, BeforeValidator(_key_ring)] = Field(
        (),
        alias="RC_MCP_SECRET_KEYS",
        description="For `--team`: keys of 32 or more characters, separated by commas, the same for all replicas. The "
        "first seals logins and the state that clients carry, and all of them open.",
    )
    state_dir: StateDir
    download_dir: AbsolutePath = Field(
        default_factory=lambda: user_downloads_path() / "rc-mcp",
        alias="RC_MCP_DOWNLOAD_DIR",
        description="The folder for attachments that `form` `file` saves. Default: `rc-mcp` in your downloads.",
    )

    def check_credentials(self) -> None:
        """Raise `SettingsError` unless there is a token, or both an app and a user."""
        if self.access_token:
            return
        if self.client_id and not self.user_jwt:
            raise SettingsError(NOT_LOGGED_IN)
        for name, value in (("RC_APP_CLIENT_ID", self.client_id), ("RC_USER_JWT", self.user_jwt)):
            if not value:
                raise SettingsError(NO_CREDENTIALS.format(name=name))


_NAMES = frozenset(field.alias for field in Settings.model_fields.values() if field.alias)
