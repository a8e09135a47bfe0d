"""The frame of the emulator's HTML pages, and the elements of the status page.

The elements escape every text and make it visible, unless it is `Html`.
"""

import unicodedata
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from string import Template

from starlette.responses import HTMLResponse

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
$content
</main>
</body>
</html>
""")


def html_page(
    title: str,
    css: str,
    content: str,
    *,
    form_action: str = "'none'",
    may_load: str = "",
    head: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Return a page that runs nothing. It sends forms only to `form_action`.

    Args:
        may_load: directives for what it may load besides its style, such as `; img-src data:`; default: nothing.
    """
    digest = b64encode(sha256(css.encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action {form_action}; "
        f"base-uri 'none'; frame-ancestors 'none'{may_load}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(_PAGE.substitute(head=head, title=title, css=css, content=content), status, headers)


class Html(str):
    """Markup of the emulator's own, which is not escaped."""

    __slots__ = ()


class Number(int):
    """A number, which is aligned right."""


Cell = Html | Number | str


def html(text: str) -> Html:
    return text if isinstance(text, Html) else Html(escape("".join(map(_visible, text))))


def foreign(text: str, max_chars: int = 90) -> Html:
    """Return an untrusted text truncated, and isolated so that it cannot affect the text around it."""
    cut = text if len(text) <= max_chars else text[: max_chars - 1] + "…"
    return Html(f"<bdi>{html(cut)}</bdi>")


def section(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], otherwise: str = "None.") -> Html:
    """Return a table under a title, or `otherwise` if there are no rows.

    If the first row has a number in a column, the column's heading is aligned right too.
    """
    content = _table(head, rows) if rows else f"<p>{html(otherwise)}</p>"
    return Html(f"<section><h2>{html(title)}</h2>{content}</section>")


def side_by_side(*sections: Html) -> Html:
    return Html(f'<div class="pair">{"".join(sections)}</div>')


def facts(pairs: Mapping[str, str]) -> Html:
    items = "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>" for name, value in pairs.items())
    return Html(f"<section><dl>{items}</dl></section>")


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    headings = "".join(f"<th{_class(cell)}>{html(name)}</th>" for name, cell in zip(head, rows[0], strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: Cell) -> str:
    return f"<td{_class(cell)}>{f'{cell:,}' if isinstance(cell, Number) else html(cell)}</td>"


def _class(cell: Cell) -> str:
    return ' class="n"' if isinstance(cell, Number) else ""


def _visible(character: str) -> str:
    """Replace a character that is invisible, changes the text direction, or is unassigned, so that it is noticed."""
    if character in "\t\r\n":
        return " "
    return "\ufffd" if unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"} else character
