#!/usr/bin/env bash
# mutagen's length of a WAV in a voicemail codec: ten seconds of GSM 6.10 are 0.03 seconds.
#
# Expected: 10 s for each codec, as ffmpeg, sox, libsndfile and tinytag say. A WAV of a block codec has a `fact` chunk with
# the number of samples, and a byte rate.
# Observed: mutagen divides the data by the block size, as if a block were one sample. GSM 6.10 has 320 samples in a block,
# so its length is 320 times too short, and its bitrate is 0. IMA and Microsoft ADPCM are 505 and 500 times too short. PCM,
# mu-law and A-law are right. Nothing is raised. A program that shows lengths, or adds them up, is wrong without
# noticing. We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mutagen==1.48.1' 'soundfile==0.14.0' 'tinytag==2.3.2' 'numpy==2.4.6'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import mutagen
import numpy
import soundfile
from tinytag import TinyTag

tone = numpy.sin(numpy.arange(80_000) * 0.3).astype("float32") / 3
seen = {}
for codec in ("PCM_16", "ULAW", "GSM610", "IMA_ADPCM", "MS_ADPCM"):
    soundfile.write("voicemail.wav", tone, 8000, subtype=codec)
    other = [soundfile.info("voicemail.wav").duration, TinyTag.get("voicemail.wav").duration]
    info = mutagen.File("voicemail.wav").info
    seen[codec] = round(info.length, 3)
    print(f"{codec}: mutagen {info.length:.3f} s, {info.bitrate} bit/s; soundfile {other[0]:.3f} s, tinytag {other[1]:.3f} s")
    assert all(10 <= length < 10.1 for length in other)
print(f"mutagen {mutagen.version_string}")
sys.exit(0 if seen == {"PCM_16": 10, "ULAW": 10, "GSM610": 0.031, "IMA_ADPCM": 0.02, "MS_ADPCM": 0.02} else 1)
PYTHON
