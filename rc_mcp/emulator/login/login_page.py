"""The pages of the authorization endpoint: plain HTML without scripts or external resources; all text is escaped."""

from html import escape
from importlib.resources import files
from string import Template

from starlette.responses import Response

from rc_mcp.emulator.login.identity import Account, User
from rc_mcp.emulator.login.redirect_uris import form_action_source
from rc_mcp.emulator.service.html import html_page

# The request's parameters that the form must send again, in addition to the login.
_HIDDEN = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")

_CSS = files("rc_mcp.emulator.login").joinpath("login_page.css").read_text("utf-8")

_FORM = Template("""<p><small>An app on <b>$destination</b> asks to act for you in this emulated RingCentral.
</small></p>
$alert
<form method="post" action="/restapi/oauth/authorize">
$hidden
<label>Username<input name="username" value="$username" autocomplete="username" autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password"></label>
<button class="first">Log in</button>
<button name="cancel" value="1">Cancel</button>
</form>
<details>
<summary>Show the users who can log in</summary>
<table>
$users
</table>
</details>""")

_WRONG = '<p role="alert">Wrong username or password. You are not logged in. Try again.</p>'


def login_page(account: Account, asked: dict[str, str], redirect_uri: str, *, wrong: bool = False) -> Response:
    destination = form_action_source(redirect_uri)
    content = _FORM.substitute(
        destination=escape(destination),
        alert=_WRONG if wrong else "",
        hidden="\n".join(_hidden(name, asked[name]) for name in _HIDDEN if name in asked),
        username=escape(asked.get("username") or asked.get("login_hint") or ""),
        # These are not secret. An operator that runs `rc-mcp emulator` finds them only here.
        users="\n".join(_row(user) for user in account.users),
    )
    return _page("Log in", content, 200, destination)


def error_page(message: str) -> Response:
    """Return the page for a request that has no safe redirect URI."""
    explained = "The app sent an invalid request. You are not logged in. Return to the app and try again."
    return _page("Login failed", f'<p role="alert">{escape(message)}</p><p>{explained}</p>', 400)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _row(user: User) -> str:
    cells = (user.name, user.username, user.password)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _page(title: str, content: str, status: int, destination: str = "") -> Response:
    # The form leads to this server, which redirects to the app; browsers check both destinations.
    form_action = f"'self' {destination}".rstrip()
    return html_page(title, _CSS, f"<h1>{title}</h1>\n{content}", form_action=form_action, status=status)
