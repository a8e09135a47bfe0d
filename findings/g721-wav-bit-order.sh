#!/usr/bin/env bash
# ffmpeg and libsndfile on a WAV of G.721 (32 kbit/s ADPCM): each plays the other's order of codes as distorted sound.
#
# Expected: the same samples, up to rounding, as for GSM 6.10, IMA ADPCM, mu-law and A-law. The WAV names its codec by tag
# 0x0040, and both play an AU file of the same codec correctly.
# Observed: two codes share a byte, and in a WAV libsndfile takes the low half first, ffmpeg the high half. No error, the
# right length, and sound as strong as its own distortion. With the halves of each byte exchanged, ffmpeg plays it well. RFC
# 3551 calls the two orders G726-32 and AAL2-G726-32; a WAV has no place to say which it is. So a silent "bad line" in a
# recording of a telephone system may be the reader. PyAV is how faster-whisper reads audio. We know of no report.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'av==18.1.0' 'soundfile==0.14.0' 'numpy==2.4.6'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import av
import numpy
import soundfile

time = numpy.arange(32_000) / 8000
voice = sum(numpy.sin(2 * numpy.pi * pitch * time) for pitch in (200, 700, 1900)) / 8
speech = (voice * numpy.clip(numpy.sin(4 * numpy.pi * time), 0, 1)).astype("float32")


def quality(samples):
    """Return how many dB the speech is above its error."""
    error = samples[: len(speech)] - speech
    return round(float(10 * numpy.log10((speech**2).mean() / (error**2).mean())))


def by_ffmpeg(data):
    frames = [frame.to_ndarray().ravel() for frame in av.open(io.BytesIO(data)).decode(audio=0)]
    return quality(numpy.concatenate(frames) / 32768)


def by_libsndfile(data):
    return quality(soundfile.read(io.BytesIO(data))[0])


def written(container):
    file = io.BytesIO()
    soundfile.write(file, speech, 8000, format=container, subtype="G721_32")
    return file.getvalue()


wav, au = written("WAV"), written("AU")
start = wav.index(b"data") + 8
exchanged = wav[:start] + bytes((byte & 15) << 4 | byte >> 4 for byte in wav[start:])
seen = {
    name: (by_libsndfile(data), by_ffmpeg(data))
    for name, data in {"AU": au, "WAV": wav, "WAV, halves exchanged": exchanged}.items()
}
print(f"libsndfile {soundfile.__libsndfile_version__}, PyAV {av.__version__} (libavcodec {av.library_versions['libavcodec']})")
for name, (libsndfile, ffmpeg) in seen.items():
    print(f"  {name}: libsndfile {libsndfile} dB, ffmpeg {ffmpeg} dB")
good = [tuple(decibels > 15 for decibels in pair) for pair in seen.values()]
sys.exit(0 if good == [(True, True), (True, False), (False, True)] else 1)
PYTHON
