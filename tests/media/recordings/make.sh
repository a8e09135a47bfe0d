#!/bin/sh
# Make the recordings of this folder again. Needs espeak-ng, flite, sox and lame (Debian packages).
# The words are invented. The voices that do not speak English must not be written down by a model that knows only it.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

line() { # raw wav: a telephone's band
    sox -R -v 0.5 "$1" -c 1 -r 8000 "$work/line.wav" highpass 180 lowpass 3600 pad 0.3 0.4 norm -3
}

foreign() { # file, voice, words
    espeak-ng -v "$2" -s 145 -g 2 -w "$work/raw.wav" "$3"
    line "$work/raw.wav"
    lame --quiet -t -m m -b 16 --resample 8 "$work/line.wav" "$1"
}

foreign spanish.mp3 es+f4 "Buenas tardes, le llamo de la farmacia. Su medicamento ya está listo y puede recogerlo hasta las ocho de la noche. Nuestro teléfono es el cinco cinco cinco, cero uno dos ocho."
foreign french.mp3 fr+f2 "Bonjour, je vous appelle de l'école de votre fils. Il a un peu de fièvre et il voudrait rentrer à la maison. Pouvez-vous venir le chercher avant midi ?"
foreign german.mp3 de+m3 "Guten Tag, hier ist Sabine Müller. Ich möchte meinen Termin am Donnerstag absagen, weil ich krank bin. Bitte rufen Sie mich zurück. Vielen Dank."

flite -voice rms -t "This is the fire department. We will test the alarms on Monday between nine and eleven." -o "$work/raw.wav"
line "$work/raw.wav"
sox "$work/line.wav" -b 16 -e signed-integer pcm.wav
sox "$work/line.wav" -e mu-law mu-law.wav
sox "$work/line.wav" -e a-law a-law.wav
sox "$work/line.wav" -e gsm-full-rate gsm.wav
sox "$work/line.wav" -e ms-adpcm ms-adpcm.wav
sox "$work/line.wav" -e ima-adpcm ima-adpcm.wav
lame --quiet -t -m m -b 16 --resample 8 "$work/line.wav" mp3.mp3
