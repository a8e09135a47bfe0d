#!/usr/bin/env bash
# libphonenumber on "number*extension", as some dialers and phone systems write it: the extension becomes part of the
# number, and the number can still be valid.
#
# Expected: an extension, as after `#`, `x`, `,,` or `;ext=`; or an error.
# Observed: `*` is skipped like a hyphen. +4930123456*12 is the valid Berlin number +493012345612, which someone else may
# have. Numbers of a fixed length (+1) get too long, so there the fault shows: is_valid_number is False. The caller-id
# prefix *67 is also joined to the number. The finder of numbers in text stops before the star. Google's own port for
# JavaScript agrees with the Python port; libphonenumber-js finds no number at all. We know of no report.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'phonenumbers==9.0.43'
cd "$folder"
npm install --silent --no-audit --no-fund google-libphonenumber@3.2.47 libphonenumber-js@1.13.16 >/dev/null
"$folder/venv/bin/python" - <<'PYTHON' > python.txt
import phonenumbers

for text in ("+4930123456#12", "+4930123456*12", "+43154321*102", "+16502530000*102", "*67 650 253 0000"):
    number = phonenumbers.parse(text, "US")
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    print(text, e164, number.extension or "-", phonenumbers.is_valid_number(number))
found = phonenumbers.PhoneNumberMatcher("Call +4930123456*12", "US")
print("in text:", [match.raw_string for match in found])
PYTHON
cat > javascript.cjs <<'JS'
const { PhoneNumberFormat, PhoneNumberUtil } = require("google-libphonenumber");
const { parsePhoneNumberFromString } = require("libphonenumber-js/max");

const google = PhoneNumberUtil.getInstance();
const number = google.parse("+4930123456*12", "US");
console.log("Google's JavaScript:", google.format(number, PhoneNumberFormat.E164), google.isValidNumber(number));
console.log("libphonenumber-js:", String(parsePhoneNumberFromString("+4930123456*12", "US")));
JS
node javascript.cjs > javascript.txt
echo "phonenumbers 9.0.43, google-libphonenumber 3.2.47, libphonenumber-js 1.13.16"
cat python.txt javascript.txt
diff - <(cat python.txt javascript.txt) <<'SEEN'
+4930123456#12 +4930123456 12 True
+4930123456*12 +493012345612 - True
+43154321*102 +43154321102 - True
+16502530000*102 +16502530000102 - False
*67 650 253 0000 +1676502530000 - False
in text: ['+4930123456']
Google's JavaScript: +493012345612 true
libphonenumber-js: undefined
SEEN
