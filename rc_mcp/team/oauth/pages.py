"""The pages that people see while they log in. They run no script and load nothing; all foreign text is escaped."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from string import Template

from starlette.responses import HTMLResponse

from rc_mcp.team.oauth.addresses import CONSENT, LOGOUT, Addresses
from rc_mcp.team.oauth.client import Client
from rc_mcp.team.oauth.login_attempts import Asked
from rc_mcp.team.oauth.redirects import host_of, is_loopback, scheme_of
from rc_mcp.views.untrusted_text import clean, counted

_CSS = """:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8885; --accent: #06c; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #8881; }
main { box-sizing: border-box; width: min(30rem, 100vw); padding: 2rem; background: Canvas;
  border: 1px solid var(--line); border-radius: 12px; overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; }
dt { opacity: .75; }
dd { margin: 0; }
button { box-sizing: border-box; width: 100%; padding: .6rem .75rem; font: inherit; border-radius: 8px;
  border: 1px solid var(--line); cursor: pointer; background: none; color: inherit; margin-top: .5rem; }
button.first { background: var(--accent); border-color: var(--accent); color: #fff; font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[role=alert] { padding: .6rem .75rem; border-left: 4px solid #c22; background: #c221; }
"""
_STYLE_HASH = b64encode(sha256(_CSS.encode()).digest()).decode()
ENDS_LATER = "Your login at RingCentral cannot be ended now. This server tries again within ten minutes."
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
$head<title>$title</title>
<style>$css</style>
</head>
<body>
<main>
<h1>$title</h1>
$content
</main>
</body>
</html>
""")
_CONSENT = Template("""<p>This app asks to use your RingCentral messages. It can do what this server allows you to do: \
read voicemails, faxes, texts and pages, and change or delete them after you agree.</p>
<dl>
<dt>App</dt><dd><bdi>$name</bdi> (it chose this name itself)</dd>
<dt>Known as</dt><dd>$identity</dd>
<dt>Sends you to</dt><dd><b>$destination</b></dd>
</dl>
$warning<p>You can end this at any time at <b>$logout</b>.</p>
<form method="post" action="$action">
<input type="hidden" name="request" value="$request">
<button class="first" name="answer" value="allow">Continue to RingCentral</button>
<button name="answer" value="deny">Cancel</button>
</form>
""")
_LOGOUT = f"""<p>This ends what all apps may do with your RingCentral messages here, and your login at RingCentral. \
You log in there once more, so that it is known who you are.</p>
<form method="post" action="{LOGOUT}"><button class="first">Log out of all apps</button></form>
"""
_LOCAL = (
    '<p role="alert">The answer goes to this computer, where any program could ask like this. Continue only if you '
    "started this login yourself, a moment ago, in an app on this computer.</p>\n"
)
_OWN_SCHEME = (
    '<p role="alert">The answer goes to an app on this computer that opens such addresses. Continue only if you '
    "started this login yourself, a moment ago, in that app.</p>\n"
)
_NAME_CHARS = 80
_HOST_CHARS = 253
"""The longest host that DNS has: the end of one says whose it is."""


def page(title: str, content: str, *, head: str = "", status: int = 200) -> HTMLResponse:
    """Return a page of this markup. `title` is our own."""
    headers = {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",  # with `no-referrer`, a browser sends a form with `Origin: null`
        "Cache-Control": "no-store",
    }
    return HTMLResponse(_PAGE.substitute(head=head, title=title, css=_CSS, content=content), status, headers)


def consent_page(client: Client, asked: Asked, form: str, addresses: Addresses) -> HTMLResponse:
    """Return the page on which a person decides whether this client may act for them."""
    redirect_uri = asked.redirect_uri
    if is_loopback(redirect_uri):
        warning = _LOCAL
    elif scheme_of(redirect_uri) not in {"http", "https"}:
        warning = _OWN_SCHEME
    else:
        warning = ""
    identity = host_of(client.client_id) if client.has_document else "an app that registered itself, without proof"
    content = _CONSENT.substitute(
        name=_shown(client.name or "without a name", _NAME_CHARS),
        identity=_shown(identity, _HOST_CHARS),
        destination=_shown(_destination(redirect_uri), _HOST_CHARS),
        warning=warning,
        logout=escape(f"{addresses.public_url}{LOGOUT}"),
        action=CONSENT,
        request=escape(form),
    )
    return page("Let this app use your messages?", content)


def logout_page() -> HTMLResponse:
    """Return the page on which a person logs out of all apps."""
    return page("Log out", _LOGOUT)


def logged_out_page(apps: int, *, is_over: bool) -> HTMLResponse:
    """Return the page that follows. `is_over`: whether the login at RingCentral has ended."""
    logins = counted(apps, "app login")
    ended = f"{logins} and your login at RingCentral ended."
    return page("Logged out", f"<p>{ended if is_over else f'{logins} ended. {ENDS_LATER}'}</p>")


def on_the_way(url: str) -> HTMLResponse:
    """Return a page that leads on by itself.

    A redirect would not do: a browser holds each step after a form against the `form-action` of the form's page, and
    RingCentral's login leads over hosts that this server does not know, and then to us and to the client.
    """
    to = escape(url)
    head = f'<meta http-equiv="refresh" content="0; url={to}">\n'
    return page("Going on", f'<p><a href="{to}" rel="noreferrer">Continue</a></p>', head=head)


def error_page(sentence: str, status: int = 400) -> HTMLResponse:
    """Return the page for a request that cannot be answered to a client."""
    again = "<p>You are not logged in. Go back to your app and start again.</p>"
    return page("Login failed", f'<p role="alert">{_shown(sentence, 400)}</p>{again}', status=status)


def wrong_request_page(sentence: str, answer: str) -> HTMLResponse:
    """Return the page for a request that was wrong; `answer` is the address that tells its client so.

    It does not lead there by itself (RFC 9700, 4.11.2): any program can register, and would have a link that looks like
    this server and opens a site of its choice.
    """
    host, to = _shown(_destination(answer), _HOST_CHARS), escape(answer)
    back = f'<p>You are not logged in. <a href="{to}" rel="noreferrer">Go back to {host}</a> if your app is there.</p>'
    return page("Login failed", f'<p role="alert">{_shown(sentence, 400)}</p>{back}', status=400)


def _destination(redirect_uri: str) -> str:
    scheme = scheme_of(redirect_uri)
    return host_of(redirect_uri) if scheme in {"http", "https"} else f"{scheme}:"


def _shown(text: str, max_chars: int) -> str:
    return escape(clean(text, max_chars))
