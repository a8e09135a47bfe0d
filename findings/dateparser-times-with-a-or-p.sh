#!/usr/bin/env bash
# dateparser on times as American offices and phone systems write them, "4:50p" and "12:15a": another time, or another day.
#
# Expected: 16:50 and 0:15, as python-dateutil reads them. Or None, as dateparser says of what it cannot read.
# Observed: its English knows only "am" and "pm", so dateparser goes on to other languages until one fits. In Hungarian "p"
# is Friday: Monday 11/30/2026 at 4:50p becomes 4:50 in the morning, and 12/1/26 the 26th of January 2012. In Spanish "a" is
# skipped and the day comes first: 12/3/2026 at 12:15a becomes a quarter past noon on the 12th of March. There is no error,
# and the Friday is not compared with the date. With `languages=["en"]` the answer is None. So a reader of dates in voicemail
# subjects and transcripts has to name its languages. chrono-node keeps the day, and puts noon where it read no hour, which
# only `isCertain("hour")` shows. "4:50 PM" is right everywhere. We know of no report.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export TZ=UTC
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dateparser==1.5.0 python-dateutil==4.0.0 2>errors.txt ||
    { cat errors.txt >&2; exit 1; }
npm install --silent --no-audit --no-fund chrono-node@2.10.3 >/dev/null

cat > dates.py <<'PY'
from dateparser.date import DateDataParser
from dateutil.parser import parse

for text in ("11/30/2026 4:50 PM", "11/30/2026 4:50p", "12/1/26 2:15p", "12/3/2026 12:15 AM", "12/3/2026 12:15a"):
    found = DateDataParser().get_date_data(text)
    english = DateDataParser(languages=["en"]).get_date_data(text).date_obj
    print(f"{text} | {found.date_obj:%Y-%m-%d %H:%M} ({found.locale}) | en: {english} | dateutil {parse(text):%Y-%m-%d %H:%M}")
PY
cat > dates.cjs <<'JS'
const chrono = require("chrono-node");
for (const text of ["11/30/2026 4:50 PM", "11/30/2026 4:50p"]) {
  const { start } = chrono.parse(text)[0];
  console.log("chrono-node:", text, start.date().toISOString(), start.isCertain("hour"));
}
JS
venv/bin/python dates.py > seen.txt
node dates.cjs >> seen.txt
echo "dateparser 1.5.0, python-dateutil 4.0.0, chrono-node 2.10.3"
cat seen.txt
diff - seen.txt <<'SEEN'
11/30/2026 4:50 PM | 2026-11-30 16:50 (en) | en: 2026-11-30 16:50:00 | dateutil 2026-11-30 16:50
11/30/2026 4:50p | 2026-11-30 04:50 (hu) | en: None | dateutil 2026-11-30 16:50
12/1/26 2:15p | 2012-01-26 02:15 (hu) | en: None | dateutil 2026-12-01 14:15
12/3/2026 12:15 AM | 2026-12-03 00:15 (en) | en: 2026-12-03 00:15:00 | dateutil 2026-12-03 00:15
12/3/2026 12:15a | 2026-03-12 12:15 (es) | en: None | dateutil 2026-12-03 00:15
chrono-node: 11/30/2026 4:50 PM 2026-11-30T16:50:00.000Z true
chrono-node: 11/30/2026 4:50p 2026-11-30T12:00:00.000Z false
SEEN
