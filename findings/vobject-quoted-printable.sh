#!/usr/bin/env bash
# vobject on the vCards of an address book in which some lines are quoted-printable (vCard 2.1, as Android writes them).
#
# Expected: a line continues after a `=` at its end if its property says ENCODING=QUOTED-PRINTABLE, and only then. So one
# call reads a file with cards of versions 2.1 and 3.0.
# Observed: no setting reads both. Without allowQP, the default, a 2.1 name over two lines is a ParseError, and no further
# card of the file is read. With allowQP, the words "quoted-printable" anywhere in a line count: a valid 3.0 note that
# mentions them and ends with `=` swallows the next property. Here that is the only phone number, without an error.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'vobject==0.9.9' 'python-dateutil==2.9.0.post0' 'pytz==2025.2' 'six==1.17.0'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' > seen.txt
import vobject

CARDS = {
    "2.1": [
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=",
        "M=C3=BCller;Zo=C3=AB",
        "TEL;CELL:+15035550134",
    ],
    "3.0": [
        "N:Costa;Maria;;;",
        "FN:Maria Costa",
        "NOTE:no quoted-printable please: see =3D=",
        "TEL;TYPE=CELL:+15035550134",
    ],
}
for version, lines in CARDS.items():
    card = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])
    for allowed in (False, True):
        try:
            (read,) = vobject.readComponents(card, allowQP=allowed)
            numbers = [number.value for number in read.contents.get("tel", [])]
            print(f"{version}, allowQP={allowed}: {read.n.value.given} {numbers}")
        except vobject.base.ParseError as error:
            print(f"{version}, allowQP={allowed}: {type(error).__name__}")
PYTHON
echo "vobject 0.9.9"
cat seen.txt
diff - seen.txt <<'SEEN'
2.1, allowQP=False: ParseError
2.1, allowQP=True: Zoë ['+15035550134']
3.0, allowQP=False: Maria ['+15035550134']
3.0, allowQP=True: Maria []
SEEN
